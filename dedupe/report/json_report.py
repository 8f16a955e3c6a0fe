"""The report as JSON: stable keys in the words of docs/report.schema.json."""

import json
from typing import Any

from dedupe.analysis.overview import Overview

#: raised when a key changes its meaning or goes
SCHEMA_VERSION = 1

_CAUSES = ("modified", "metadata_only", "unchanged", "deleted", "opaque", "replaced", "superseded")
_GRANULARITIES = ("compressed", "unpacked", "content")


def render(found: Overview, limit: int) -> str:
    """One JSON document; lists of files hold at most ``limit`` rows, the largest first."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "scan": found.scan,
        "sources": found.sources,
        "totals": found.totals,
        "images": [_image(row) for row in found.images],
        "layers": found.layers,
        "shadowed_files": _first(found.shadowed_files, limit),
        "duplicates": _first(found.duplicates, limit),
        "findings": _first(found.findings, limit),
        "containers": found.containers,
        "problems": found.problems,
        "left_out": {
            "shadowed_files": len(found.shadowed_files) - len(_first(found.shadowed_files, limit)),
            "duplicates": len(found.duplicates) - len(_first(found.duplicates, limit)),
            "findings": len(found.findings) - len(_first(found.findings, limit)),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _first(rows: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    return rows[:limit] if limit else rows


def _image(row: dict[str, Any]) -> dict[str, Any]:
    grouped = {
        *_CAUSES,
        *(f"{kind}_{name}" for kind in ("exclusive", "attributed") for name in _GRANULARITIES),
    }
    image = {key: value for key, value in row.items() if key not in grouped}
    image["shadowed"] = {cause: row[cause] for cause in _CAUSES}
    for kind in ("exclusive", "attributed"):
        image[kind] = {name: row[f"{kind}_{name}"] for name in _GRANULARITIES}
    return image
