"""Write docs/report.schema.json with the program's sentences for measures, causes and kinds.

python data/report_schema.py > docs/report.schema.json   (by way of another file)
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dedupe.model.findings import FindingKind
from dedupe.model.measures import CONTAINERS, IMAGES, SOURCES, TOTALS, Cause, Measure

SCHEMA = Path(__file__).parents[1] / "docs" / "report.schema.json"


def main() -> None:
    """Print the schema."""
    schema = json.loads(SCHEMA.read_bytes())
    properties = schema["properties"]
    describe(properties["totals"], TOTALS)
    describe(properties["sources"]["items"], SOURCES)
    describe(properties["containers"]["items"], CONTAINERS)
    images = properties["images"]["items"]
    describe(images, {key: IMAGES[key] for key in IMAGES if key in images["properties"]})
    for key in ("exclusive", "attributed"):
        images["properties"][key]["description"] = IMAGES[f"{key}_unpacked"].sentence
    for cause in Cause:
        images["properties"]["shadowed"]["properties"][cause]["description"] = cause.sentence
    files = properties["shadowed_files"]["items"]["properties"]
    files["cause"]["enum"] = list(Cause)
    properties["findings"]["items"]["properties"]["kind"]["enum"] = list(FindingKind)
    print(json.dumps(schema, indent=2, ensure_ascii=False))


def describe(schema: dict[str, Any], measures: Mapping[Any, Measure]) -> None:
    """Give the keys of an object the sentences of their measures."""
    for key, measure in measures.items():
        schema["properties"][key]["description"] = measure.sentence


if __name__ == "__main__":
    main()
