"""Print the columns of every answer, from the headers of the queries.

python data/columns.py > docs/columns.md
"""

from pathlib import Path

from headers import columns_of, header_of, name_of, parameters_of, questions_in

_QUERIES = Path(__file__).parents[1] / "queries"
_HEAD = """# Columns

The questions that commands and reports ask, with the columns of their answers: tables of commands
have these in every form (`--format json`, `csv`, `parquet`), and `--explain` names the query.
Bytes are logical sizes unless a column says otherwise; [measures.md](measures.md) defines every
figure. Made from the headers in `queries/` by `make docs`.
"""
#: questions of a session that compares orders, which no command answers
_INNER = frozenset({"reorder/proposed_images", "reorder/proposed_layers"})


def main() -> None:
    """Print the page."""
    print(_HEAD)
    for path in questions_in(_QUERIES):
        if name_of(path, _QUERIES) not in _INNER:
            print(_section(path))


def _section(path: Path) -> str:
    header = header_of(path)
    lines = [
        f"## {name_of(path, _QUERIES)}",
        "",
        " ".join(header["Question"]),
        "",
        f"Rows: {' '.join(header['Grain'])}.",
    ]
    parameters = parameters_of(path)
    if parameters:
        lines += ["", "| parameter | type | meaning |", "|---|---|---|"]
        lines += [
            f"| ${name} | {kind} | {_cell(meaning)} |"
            for name, (kind, meaning) in parameters.items()
        ]
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    lines += [
        f"| {name} | {kind} | {_cell(meaning)} |"
        for name, (kind, meaning) in columns_of(path).items()
    ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    main()
