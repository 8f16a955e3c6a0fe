"""What is kept of a layer alone: which layers and which folders are equal."""

from pathlib import Path

import pytest
from builders import Image, file, tar_of, whiteout, write_oci_layout
from helpers.scanning import scan_only

from dedupe.store.session import Session

ONE = (file("a", b"1"), file("d/x", b"2"))
#: name -> members of a layer, of the same number of files and bytes
LAYERS = {
    "one": ONE,
    "other order": ONE[::-1],
    "other time": (file("a", b"1", mtime=5), file("d/x", b"2")),
    "other mode": (file("a", b"1", mode=0o600), file("d/x", b"2")),
    "other content": (file("a", b"3"), file("d/x", b"2")),
    "names exchanged": (file("a", b"2"), file("d/x", b"1")),
    "first 1": (file("a", b"1"), file("a", b"2")),
    "first 2": (file("a", b"2"), file("a", b"1")),
    "mark first": (whiteout("a"), file("a", b"1"), file("d/x", b"2")),
    "mark last": (file("a", b"1"), file("d/x", b"2"), whiteout("a")),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Column -> name of a layer -> the column's value."""
    folder = tmp_path_factory.mktemp("layers")
    images = [Image([tar_of(list(made))], names=[name]) for name, made in LAYERS.items()]
    write_oci_layout(folder / "store", images)
    return _described(folder)


def _described(folder: Path) -> dict[str, dict[str, str]]:
    scan_only(folder / "catalog", folder / "store")
    session = Session(folder / "catalog")
    session.derive()
    rows = session.ask(
        """
        SELECT image.own_name, description.description::VARCHAR, description.exact::VARCHAR
        FROM image
        JOIN stack USING (image_id)
        JOIN description USING (layer)
        """
    ).rows
    session.close()
    # a layout gives names without a repository that of its folder
    rows = [(name.rpartition(":")[2], *values) for name, *values in rows]
    return {
        "description": {name: description for name, description, _ in rows},
        "exact": {name: exact for name, _, exact in rows},
    }


@pytest.mark.parametrize(
    ("column", "equal"),
    [
        ("description", [{"one", "other order", "other time"}]),
        ("exact", [{"one", "other order"}]),
    ],
)
def test_layers_are_equal_if_their_entries_are(
    column: str, equal: list[set[str]], answers: dict[str, dict[str, str]]
) -> None:
    """The order of members counts only for members of one path; times only for ``exact``."""
    by_value: dict[str, set[str]] = {}
    for name, value in answers[column].items():
        by_value.setdefault(value, set()).add(name)
    assert answers[column].keys() == LAYERS.keys()
    assert [names for names in by_value.values() if len(names) > 1] == equal
