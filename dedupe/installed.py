"""Folders of text that come with the program: its SQL and its documentation."""

import re
from functools import cache
from importlib import resources
from pathlib import Path

_PAGE = re.compile(r"\bdocs/([a-z-]+\.md)\b")


@cache
def queries_folder() -> Path:
    """Folder of the SQL: inside an installed package, at the project's root in a checkout."""
    return _folder("queries")


@cache
def docs_folder() -> Path:
    """Folder of the documentation: inside an installed package, at the root in a checkout."""
    return _folder("docs")


def locate_pages(text: str) -> str:
    """Replace each ``docs/NAME.md`` in a text of ours with the path of that page here.

    Pass only text that the program wrote itself: a user's file may have such a name too.
    """
    return _PAGE.sub(lambda page: str(docs_folder() / page[1]), text)


def _folder(name: str) -> Path:
    inside = Path(str(resources.files("dedupe"))) / name
    return inside if inside.is_dir() else Path(__file__).parents[1] / name
