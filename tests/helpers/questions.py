"""Every question with values of its parameters that mean something in a session."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import permutations, product
from typing import Any

from dedupe.model.questions import Question
from dedupe.store.session import Session

NOW = datetime(2030, 1, 1)
#: values of parameters that mean something else in these questions
OWN_CHOICES: dict[str, dict[str, Sequence[Any]]] = {
    "disk": {"by": ["kind", "owner"]},
    "treemap": {"images": [1, 20]},
    "usage/groups": {"by": ["image", "repository", "namespace", "tag-series", "base", "group"]},
}


@cache
def choices_of(session: Session) -> dict[str, Sequence[Any]]:
    """Values of parameters to ask about this session, by name."""
    images = session.rows("images")
    ids = [row["image_id"] for row in images]
    names = [name for row in images for name in row["names"]]
    locations = [row["location"] for row in session.rows("sources")]
    scans = [row["scan"] for row in session.rows("catalog_scans")]
    twins = session.rows("usage/twins", similarity=0.0, gain_bytes=0, widest=64)
    return {
        "base_images": [[], ids[:2]],
        "base_layers": [[]],
        "baseline": scans,
        "before": [None, 0.0],
        "below": ["", *locations[:1]],
        "by": ["cache", "extension", "size"],
        "container": [None, *(row["container_id"] for row in session.rows("image_containers"))],
        "first": [locations[:1], locations],
        "folders": [1, 20],
        "gain_bytes": [0],
        "globs": [["r/*"]],
        "grade": ["equivalent", "identical"],
        "granularity": ["compressed", "unpacked", "content"],
        "held": ["own", "upper", "base"],
        "ignored": [None, "etc/.*"],
        "image_ids": [[row["image_id"] for row in twins]],
        "kinds": [[], ["layer", "container"]],
        "images": [ids, ids[:1], ids[-1:]],
        "most": [100],
        "now": [NOW],
        "path": ["", "etc", "etc/os", "opt/link", "dangling", "nothing"],
        "paths": [["etc", "etc/os", "lib", "opt/lib"], locations],
        "pattern": [".*"],
        "positions": [[0] * len(ids)],
        "proposed": [[0] * len(ids)],
        "recursive": [False, True],
        "repositories": [names],
        "scan": scans,
        "second": [locations[-1:], locations],
        "similarity": [0.0],
        "sort": [""],
        "text": ["a", *(each[7:19] for each in ids[:1])],
        "twin_ids": [[row["twin_id"] for row in twins]],
        "widest": [64],
    }


@cache
def layers_of(session: Session) -> dict[str, int]:
    """Number of layers of each image."""
    return {row["image_id"]: row["layers"] for row in session.rows("images")}


def questions_of(
    session: Session, name: str, parameters: Mapping[str, object]
) -> Iterator[Question]:
    """The question with all values of its parameters; a third of the images if it is about one."""
    images = list(layers_of(session))
    about = [(image,) for image in images[::3]] if name.startswith("paths/") else [()]
    choices = choices_of(session) | OWN_CHOICES.get(name, {})
    values: list[dict[str, Any]] = [
        dict(zip(parameters, each, strict=True))
        for each in product(*(choices[key] for key in parameters if key not in ("old", "new")))
        if not {"old", "new"} & parameters.keys()
    ]
    if "old" in parameters:
        scans = [row["scan"] for row in session.rows("catalog_scans")]
        around = zip(images, images[1:] + images[:1], strict=True)
        pairs = permutations(scans, 2) if "scan" in name else around
        most = {"most": 20} if "most" in parameters else {}
        values = [{"old": old, "new": new, **most} for old, new in pairs]
    for chosen in about:
        yield from (Question(name, each, chosen) for each in values)


def rows_of(session: Session, name: str, parameters: Mapping[str, object]) -> Iterator[dict]:
    """Rows of all these questions; those about two orders are asked beside another order."""
    asked = session
    if name.startswith("reorder/view_"):
        orders = {
            each: range(layers)[::-1] for each, layers in layers_of(session).items() if layers
        }
        if not orders:
            return
        asked = session.beside(orders)
    for question in questions_of(session, name, parameters):
        yield from asked.answer(question).dicts()
    if asked is not session:
        asked.close()
