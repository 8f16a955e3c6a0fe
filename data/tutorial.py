"""Print the tutorial with the answers that its commands give now.

python data/tutorial.py ESTATE > docs/tutorial.md   (through another file)

ESTATE is a folder whose ``oci`` is an image layout of the tutorial's images. A fenced block that
begins with ``$`` is a call; the rest of the block is replaced by what the call prints.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```\n\$ ([^\n]+)\n.*?^```$", re.M | re.S)
#: what the page shows in place of the folder, which is another one on each machine
_SHOWN_FOLDER = "/srv/estate"
#: how far a scan is, which slow machines print
_PROGRESS = re.compile(r"dedupe: \d+ of \d+ layers,")


def main(estate: Path) -> None:
    """Print the page."""
    with tempfile.TemporaryDirectory() as catalog:

        def answered(block: re.Match[str]) -> str:
            printed = _answer(block[1], estate, catalog)
            return f"```\n$ {block[1]}\n{printed}```"

        print(_BLOCK.sub(answered, PAGE.read_text()), end="")


def _answer(call: str, estate: Path, catalog: str) -> str:
    folder = str(Path(sys.executable).parent)
    shown = subprocess.run(
        ["/bin/bash", "-c", call],
        check=True,
        capture_output=True,
        text=True,
        cwd=estate,
        env={
            **os.environ,
            "DEDUPE_CATALOG": catalog,
            "NO_COLOR": "1",
            "PATH": folder + os.pathsep + os.environ["PATH"],
        },
    )
    printed = (shown.stdout + shown.stderr).replace(str(estate.resolve()), _SHOWN_FOLDER)
    lines = printed.splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines if not _PROGRESS.match(line))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
