"""The report as JSON: stable keys in the words of docs/report.schema.json."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dedupe.analysis import queries
from dedupe.analysis.overview import Inventory
from dedupe.model.measures import CAUSES

#: raised when a key changes its meaning or goes
SCHEMA_VERSION = 1

_GRANULARITIES = ("compressed", "unpacked", "content")


def render(listed: Inventory, limit: int) -> str:
    """One JSON document; lists of files hold at most ``limit`` rows, the largest first."""
    found = listed.found
    lists: dict[str, Sequence[object]] = {
        "shadowed_files": listed.shadowed_files,
        "duplicates": listed.duplicates,
        "findings": found.findings,
    }
    shown = {name: rows[:limit] if limit else rows for name, rows in lists.items()}
    document = {
        "schema_version": SCHEMA_VERSION,
        "scan": found.scan,
        "sources": found.sources,
        "totals": found.totals,
        "images": [_image(row) for row in found.images],
        "layers": listed.layers,
        **shown,
        "containers": found.containers,
        "problems": found.problems,
        "left_out": {name: len(rows) - len(shown[name]) for name, rows in lists.items()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _image(row: queries.ImagesRow) -> dict[str, Any]:
    grouped = {
        *CAUSES,
        *(f"{kind}_{name}" for kind in ("exclusive", "attributed") for name in _GRANULARITIES),
    }
    values: Mapping[str, object] = row
    image: dict[str, Any] = {key: value for key, value in row.items() if key not in grouped}
    image["shadowed"] = {cause: row[cause] for cause in CAUSES}
    for kind in ("exclusive", "attributed"):
        image[kind] = {name: values[f"{kind}_{name}"] for name in _GRANULARITIES}
    return image
