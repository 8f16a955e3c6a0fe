"""Branches that a path is looked up in: an image's layers, a container's writable one on top."""

from dedupe.analysis import queries
from dedupe.analysis.interface import AnyQuestion, Questions
from dedupe.analysis.paths.lookup import existing, locate
from dedupe.errors import StoreError


def branches_of(
    questions: Questions, image: str, name: str, text: str, container: str | None
) -> tuple[AnyQuestion, tuple[str, ...]]:
    """The question what every branch says of a path, and the links followed to get there.

    Raises StoreError ``no-path`` where no branch has, or ever had, the path.
    """
    found = locate(questions, image, text)
    top = one_container(questions, image, name, container) if container else None
    question = queries.paths_which(path=found.path, container=top, about=(image,))
    if all(row["state"] in ("absent", "hides") for row in questions.answer(question).dicts()):
        existing(questions, image, name, text)
    return question, found.links


def one_container(questions: Questions, image: str, name: str, text: str) -> str:
    """ID of the container of this name, or beginning of an ID, that stands on the image.

    Raises StoreError ``no-container`` with those that do.
    """
    known = questions.answer(queries.image_containers(about=(image,))).dicts()
    found = {
        row["container_id"]
        for row in known
        if text == row["name"] or row["container_id"].startswith(text)
    }
    if len(found) == 1:
        return str(found.pop())
    names = ", ".join(sorted(row["name"] or row["container_id"] for row in known)) or "none"
    raise StoreError(
        f"{text}: no one container of {name} has this name; there are: {names}", "no-container"
    )
