"""Write one page per command, from its help and its answer about the sample store.

python data/commands.py FOLDER
"""

import sys
import tempfile
from pathlib import Path

from asking import SCRATCH, answer, help_of, names, scan_sample

_WEB, _TOOLS = "web:1", ("tool:a", "tool:b")
#: calls whose answers are the same on every machine and at any time
_EXAMPLES: dict[str, tuple[tuple[str, ...], ...]] = {
    "report": (("report",),),
    "findings": (("findings",),),
    "duplicates": (("duplicates", "--limit", "3"), ("duplicates", "--by", "folder")),
    "sources": (("sources",),),
    "images": (("images",),),
    "artifacts": (("artifacts",),),
    "layers": (("layers",),),
    "shadowed": (("shadowed", "--limit", "3"),),
    "tree": (("tree",),),
    "ls": (("ls", _WEB, "/srv"),),
    "find": (("find", _WEB, "*module1*", "--limit", "3"),),
    "which": (("which", _WEB, "/srv/app/module0.py"),),
    "history": (("history", _WEB),),
    "diff": (("diff", *_TOOLS),),
    "usage": (("usage",),),
    "positions": (("positions",),),
    "bases": (("bases",),),
    "twins": (("twins",),),
    "what-if": (("what-if", "--delete", "*/tool:*"),),
    "reorder": (("reorder", "--no-steps", "*/tool:*"), ("reorder", "explain", "tool:b")),
    "query": (("query", "SELECT kind, count(*) AS entries FROM entries GROUP BY ALL ORDER BY 2"),),
}
_INDEX = """# Commands

One page per command, with its help and its answer about the sample store of `make demo`. `make
docs` writes these pages.

"""


def main(folder: Path) -> None:
    """Write all pages and their index."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        sample = Path(scratch)
        scanned = scan_sample(sample)
        listed = names()
        for name in listed:
            (folder / f"{name}.md").write_text(_page(sample, name))
        with (folder / "scan.md").open("a") as scan:
            scan.write(f"\n## Example\n\n{_block(scanned)}")
    links = "".join(f"- [dedupe {name}]({name}.md)\n" for name in listed)
    (folder / "README.md").write_text(f"{_INDEX}{links}\n## dedupe\n\n{_block(help_of())}")


def _page(sample: Path, name: str) -> str:
    parts = [f"# dedupe {name}\n", _block(help_of(name))]
    for below in names(name):
        parts += [f"## dedupe {name} {below}\n", _block(help_of(name, below))]
    if name in _EXAMPLES:
        parts.append("## Example\n")
    for words in _EXAMPLES.get(name, ()):
        parts.append(_block(answer(sample, *words)))
    return "\n".join(parts)


def _block(text: str) -> str:
    return f"```\n{text}\n```\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
