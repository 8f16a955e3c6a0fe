"""The report as JSON: stable keys, described by docs/report.schema.json."""

from collections.abc import Sequence

from dedupe.analysis import queries
from dedupe.analysis.overview import Inventory, shadowed_by_cause
from dedupe.model.measures import Cause
from dedupe.report.doubts import doubts
from dedupe.report.text import json_document

#: raised when a key changes its meaning or is removed
SCHEMA_VERSION = 1

_GRANULARITIES = ("compressed", "unpacked", "content")
#: column of disk usage that rows of one kind do not have
DISK_OWNER = "owner"
#: columns of an image that are grouped into objects
GROUPED = {
    *Cause,
    *(f"{kind}_{name}" for kind in ("exclusive", "attributed") for name in _GRANULARITIES),
}


def to_json(listed: Inventory, limit: int) -> str:
    """One JSON document; lists of files have at most ``limit`` rows, the largest; 0 for all."""
    found = listed.found
    lists: dict[str, Sequence[object]] = {
        "shadowed_files": listed.shadowed_files,
        "duplicates": listed.duplicates,
        "findings": found.findings,
        "disk_owners": listed.disk_owners,
    }
    shown = {name: rows[: limit or None] for name, rows in lists.items()}
    found_rows = {name: len(rows) for name, rows in lists.items()} | {
        "shadowed_files": listed.all_shadowed_files,
        "duplicates": listed.all_duplicates,
    }
    return json_document(
        {
            "schema_version": SCHEMA_VERSION,
            "scan": found.scan,
            "incomplete": {
                "is_partial": found.is_partial,
                "sentences": doubts(found.incomplete, found.sources, found.failed),
                "images": found.totals["incomplete_images"],
                "problems": found.incomplete,
            },
            "sources": found.sources,
            "totals": found.totals,
            "disk": [_without_owner(row) for row in found.disk],
            "images": [_image(row) for row in found.images],
            "layers": listed.layers,
            **shown,
            "containers": found.containers,
            "problems": found.problems,
            "left_out": {name: rows - len(shown[name]) for name, rows in found_rows.items()},
        }
    )


def _without_owner(row: queries.DiskRow) -> dict[str, object]:
    """A row of all owners of its kind."""
    return {key: value for key, value in row.items() if key != DISK_OWNER}


def _image(row: queries.ImagesRow) -> dict[str, object]:
    return {
        **{key: value for key, value in row.items() if key not in GROUPED},
        "shadowed": shadowed_by_cause(row),
        "exclusive": {
            "compressed": row["exclusive_compressed"],
            "unpacked": row["exclusive_unpacked"],
            "content": row["exclusive_content"],
        },
        "attributed": {
            "compressed": row["attributed_compressed"],
            "unpacked": row["attributed_unpacked"],
            "content": row["attributed_content"],
        },
    }
