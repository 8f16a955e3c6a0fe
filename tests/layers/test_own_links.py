"""Links of one layer: where paths through them lead, and what ends them."""

import pytest

from dedupe.errors import LayerError
from dedupe.layers import own_links
from dedupe.layers.own_links import OwnLinks


def links_of(**targets: str) -> OwnLinks:
    """Links with these names at the root."""
    links = OwnLinks()
    for name, target in targets.items():
        links.add(name.encode(), target.encode())
    return links


@pytest.mark.parametrize(
    ("target", "path", "found"),
    [
        ("r", "a/x", "r/x"),
        ("r", "a/b/c", "r/b/c"),
        ("r", "a", "a"),
        ("r", "b/a/x", "b/a/x"),
        ("/r/s", "a/x", "r/s/x"),
        ("../../r", "a/x", "r/x"),
        ("r/./s//t/..", "a/x", "r/s/x"),
        ("", "a/x", "x"),
        ("/", "a/x", "x"),
        ("..", "a/x", "x"),
    ],
)
def test_a_path_is_resolved_by_its_folder(target: str, path: str, found: str) -> None:
    """The last component stays, and no target leaves the root."""
    flag = "through-own-symlink" if path.startswith("a/") else None
    assert links_of(a=target).through(path.encode()) == (found.encode(), flag)


def test_dots_climb_from_where_a_link_leads() -> None:
    """``l/..`` is the folder above the target of ``l``, not the folder of ``l``."""
    links = links_of(l="d/e", m="l/../f")
    assert links.through(b"m/x")[0] == b"d/f/x"


def test_a_link_in_a_folder_is_relative_to_it() -> None:
    """A relative target starts from the folder that the link is in."""
    links = OwnLinks()
    links.add(b"d/e/l", b"../f")
    assert links.through(b"d/e/l/x")[0] == b"d/f/x"
    assert links.through(b"d/e/other/x") == (b"d/e/other/x", None)


def test_a_folder_is_asked_again_after_a_new_link() -> None:
    """That a folder had no link above it is not remembered too long."""
    links = links_of(other="r")
    assert links.through(b"a/b/x") == (b"a/b/x", None)
    links.add(b"a", b"r")
    assert links.through(b"a/b/x")[0] == b"r/b/x"


def test_other_entries_end_links() -> None:
    """A folder ends the link at its path, anything else those below its path too."""
    links = OwnLinks()
    for path in (b"d/l", b"d/e/l", b"m"):
        links.add(path, b"/r")
    links.replace(b"d", is_folder=True)
    links.replace(b"m", is_folder=True)
    links.replace(b"m/deeper", is_folder=False)
    assert links.target_at(b"d/l") == links.target_at(b"d/e/l") == b"/r"
    assert links.target_at(b"m") is None
    links.replace(b"d/e", is_folder=False)
    assert links.target_at(b"d/e/l") is None
    assert links.target_at(b"d/l") == b"/r"
    assert links.target_at(b"d") is None


@pytest.mark.parametrize(
    "targets",
    [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b/c", "b": "a"}, {"a": "./a/a/a/a"}],
)
def test_a_loop_is_flagged(targets: dict[str, str]) -> None:
    """The path stays as it is."""
    assert links_of(**targets).through(b"a/x") == (b"a/x", "symlink-loop")


def test_as_many_links_are_followed_as_linux_follows() -> None:
    """Forty links lead on, one more is refused."""
    links = OwnLinks()
    for number in range(41):
        links.add(b"l%d" % number, b"l%d" % (number + 1))
    assert links.through(b"l1/x") == (b"l41/x", "through-own-symlink")
    assert links.through(b"l0/x") == (b"l0/x", "symlink-loop")


def test_long_targets_are_not_walked_forever() -> None:
    """A target of thousands of components costs little, and is refused."""
    links = links_of(a="./" * 2_000 + "a")
    assert links.through(b"a/x") == (b"a/x", "symlink-loop")
    # Linux cannot make such a link
    assert links_of(a="r" * 4_096).through(b"a/x") == (b"a/x", None)


def test_more_links_than_memory_allows_fail_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layer cannot be read; nothing of it is guessed."""
    monkeypatch.setattr(own_links, "_MAX_MEMORY", 100_000)
    links = OwnLinks()

    def add_all() -> None:
        for number in range(1_000):
            links.add(b"d/%d" % number, b"t")

    with pytest.raises(LayerError, match="more symbolic links") as failed:
        add_all()
    assert failed.value.code == "layer-too-large"
    assert links.target_at(b"d/200") == b"t"
