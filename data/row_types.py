"""Print one typed function per question, from the headers of the queries.

python data/row_types.py > dedupe/analysis/queries.py
"""

import re
from pathlib import Path

from headers import columns_of, fields_of_struct, header_of, name_of, parameters_of, questions_in

_QUERIES = Path(__file__).parents[1] / "queries"
_HEAD = '''"""One function per question in queries/: its parameters, and the type of its rows.

Made from the headers of the queries by `make docs`; a test holds them equal. Change a header, not
this file. ``about`` limits a question to the images of these IDs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from dedupe.model.questions import Question
'''
_TYPES = {
    "VARCHAR": "str",
    "BIGINT": "int",
    "INTEGER": "int",
    "HUGEINT": "int",
    "DOUBLE": "float",
    "BOOLEAN": "bool",
    "BLOB": "bytes",
    "TIMESTAMP": "datetime",
}


def main() -> None:
    """Print the module."""
    print(_HEAD, end="")
    for path in questions_in(_QUERIES):
        print(_question(path), end="")


def _question(path: Path) -> str:
    name = name_of(path, _QUERIES)
    function = name.replace("/", "_")
    row = "".join(word.capitalize() for word in function.split("_")) + "Row"
    text = ""
    fields = []
    for column, (kind, meaning) in columns_of(path).items():
        typed = _type(kind, "list")
        if kind.startswith("STRUCT"):
            item = f"{row.removesuffix('Row')}{column.capitalize()}"
            inner = {key: (each, "") for key, each in fields_of_struct(kind).items()}
            text += _typed_dict(item, f"One of ``{column}`` of a row of ``{name}``.", inner)
            typed = f"list[{item}]" if kind.endswith("[]") else item
        fields.append((column, _nullable(typed, meaning)))
    text += _class(row, f"A row of ``{name}``: {' '.join(header_of(path)['Grain'])}.", fields)
    parameters = parameters_of(path)
    question = f"Question[{row}]"
    text += f"\n\ndef {function}(\n    *,\n"
    for each, (kind, meaning) in parameters.items():
        text += f"    {each}: {_nullable(_type(kind, 'Sequence'), meaning)},\n"
    text += f"    about: tuple[str, ...] = (),\n) -> {question}:\n"
    text += f'    """{" ".join(header_of(path)["Question"])}"""\n'
    given = ", ".join(f'"{each}": {each}' for each in parameters)
    return f'{text}    return Question("{name}", {{{given}}}, about)\n'


def _typed_dict(name: str, meaning: str, columns: dict[str, tuple[str, str]]) -> str:
    fields = [(key, _type(kind, "list")) for key, (kind, _) in columns.items()]
    return _class(name, meaning, fields)


def _class(name: str, meaning: str, fields: list[tuple[str, str]]) -> str:
    lines = "".join(f"    {key}: {kind}\n" for key, kind in fields)
    return f'\n\nclass {name}(TypedDict):\n    """{meaning}"""\n\n{lines}'


def _type(kind: str, list_type: str) -> str:
    if kind.startswith("STRUCT"):
        return ""
    if kind.endswith("[]"):
        return f"{list_type}[{_TYPES[kind[:-2]]}]"
    return _TYPES[kind]


def _nullable(typed: str, meaning: str) -> str:
    """Return the type of a column, which may be null if its meaning says when."""
    return f"{typed} | None" if re.search(r"\bnull\b", meaning) else typed


if __name__ == "__main__":
    main()
