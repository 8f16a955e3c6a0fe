"""Print README.md with the report of the sample store and the help as they are now.

python data/readme.py > README.md   (through another file)
"""

import re
import tempfile
from pathlib import Path

from asking import SCRATCH, answer, help_of, scan_sample

_README = Path(__file__).parents[1] / "README.md"


def main() -> None:
    """Print the page."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        scan_sample(Path(scratch))
        _, _, report = answer(Path(scratch), "report").partition("\n")
    page = _replaced(_README.read_text(), "A report", report)
    print(_replaced(page, "Commands", help_of()), end="")


def _replaced(page: str, section: str, text: str) -> str:
    """The page with this text in the first fenced block of the section."""
    block = re.compile(rf"(^## {section}\n.*?^```\n).*?(^```$)", re.DOTALL | re.MULTILINE)
    return block.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page, count=1)


if __name__ == "__main__":
    main()
