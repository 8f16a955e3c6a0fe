"""What reports say about entries that unpackers show differently."""

from pathlib import Path

from builders import Image, directory, file, hardlink, symlink, tar_of
from helpers.scanning import scan_images

from dedupe.analysis.overview import overview
from dedupe.report.flags import flagged_entries
from dedupe.report.markdown import to_markdown
from dedupe.report.terminal import to_terminal

SENTENCE = (
    "4 flagged entries: unpackers may show and count them differently; figures are those of the "
    "OCI specification. through-own-symlink 2, "
)


def test_reports_count_the_flagged_entries(tmp_path: Path) -> None:
    """A report on a screen and in Markdown has one sentence, with the most frequent cases."""
    layer = [
        directory("r"),
        symlink("a", "r"),
        file("a/x", b"1"),
        file("a/y", b"2"),
        file("r/x", b"3"),
        hardlink("none", "nowhere"),
    ]
    found = overview(scan_images(tmp_path, [Image([tar_of(layer)], names=["i"])]))
    sentence = flagged_entries(found.problems)
    assert sentence.startswith(SENTENCE)
    assert {*sentence.removeprefix(SENTENCE).split(", ")} == {
        "dangling-hard-link 1",
        "duplicate-path 1",
    }
    assert f"\n{sentence}: dedupe report -f json\n" in to_terminal(found, plain=False)
    assert f"\n{sentence}\n" in to_markdown(found, plain=False)


def test_nothing_is_said_without_flagged_entries(tmp_path: Path) -> None:
    """The sentence is left out."""
    image = Image([tar_of([directory("r"), file("r/x")])], names=["i"])
    found = overview(scan_images(tmp_path, [image]))
    assert flagged_entries(found.problems) == ""
    assert "flagged" not in to_terminal(found, plain=False) + to_markdown(found, plain=False)
