"""Everything that the HTML page shows beside the report."""

from dataclasses import dataclass

from dedupe.analysis.interface import Questions, Row
from dedupe.analysis.overview import Overview, overview

#: images in the treemap, and folders a layer: what a screen can show
_IMAGES = 60
_FOLDERS = 12


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the page; the queries' headers describe them."""

    found: Overview
    tree: list[Row]
    folders: list[Row]
    duplicate_folders: list[Row]
    orders: list[Row]
    trend: list[Row]


def page(questions: Questions) -> Page:
    """All answers that the page needs."""
    return Page(
        found=overview(questions),
        tree=questions.rows("tree"),
        folders=questions.rows("treemap", images=_IMAGES, folders=_FOLDERS),
        duplicate_folders=questions.rows("duplicate_folders"),
        orders=questions.rows("positions"),
        trend=questions.rows("trend"),
    )
