"""Write docs/findings.md with the table of kinds as the program has them.

python data/findings.py > docs/findings.md   (by way of another file)
"""

import re
from pathlib import Path

from dedupe.model.findings import FindingKind

PAGE = Path(__file__).parents[1] / "docs" / "findings.md"
_TABLE = re.compile(r"(?<=^\|---\|---\|---\|\n)(?:\|.*\n)*", re.M)


def main() -> None:
    """Print the page."""
    rows = (f"| {kind} | {kind.meaning} | {kind.saved} |\n" for kind in FindingKind)
    print(_TABLE.sub("".join(rows).replace("\\", r"\\"), PAGE.read_text(), count=1), end="")


if __name__ == "__main__":
    main()
