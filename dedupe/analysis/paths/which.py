"""Looks a path up in every branch: an image's layers, and a container's writable branch on top."""

from dedupe.analysis import queries
from dedupe.analysis.interface import Question, Questions
from dedupe.analysis.paths.lookup import existing_path, resolve_path
from dedupe.errors import StoreError


def branches_of(
    questions: Questions, image: str, name: str, text: str, container: str | None
) -> tuple[Question[queries.PathsWhichRow], tuple[str, ...]]:
    """The question what every branch has at a path, and the links that were followed to it.

    Raises StoreError ``no-path`` if no branch has an entry at the path.
    """
    found = resolve_path(questions, image, text)
    top = one_container(questions, image, name, container) if container else None
    question = queries.paths_which(path=found.path, container=top, about=(image,))
    if all(row["state"] in ("absent", "hides") for row in questions.rows(question)):
        existing_path(questions, image, name, text)
    return question, found.links


def one_container(questions: Questions, image: str, name: str, text: str) -> str:
    """ID of the image's container with this name or start of an ID.

    Raises StoreError ``no-container`` with the containers of the image.
    """
    known = questions.rows(queries.image_containers(about=(image,)))
    found = {
        row["container_id"]
        for row in known
        if text == row["name"] or row["container_id"].startswith(text)
    }
    if len(found) == 1:
        return found.pop()
    names = ", ".join(sorted(row["name"] or row["container_id"] for row in known)) or "none"
    raise StoreError(
        f"{text}: not the name of one container of {name}; there are: {names}", "no-container"
    )
