"""docs/tutorial.md shows what its calls print about images that were built as its own were."""

import math
import os
import re
import subprocess
import sys
from itertools import zip_longest

import pytest
from here import PROJECT

_UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_NUMBER = re.compile(r"(?<![\w.:/-])([\d,]*\d(?:\.\d+)?)(?: (B|kB|MB|GB)\b)?(?![\w/:-])")
#: digests differ with every build; which of several equal images or layers is shown, too
_VARYING = re.compile(r"\b[0-9a-f]{8,}\b|localhost/\S+")


def words_and_numbers(line: str) -> tuple[list[str], list[float]]:
    """The words of a line, and its numbers; sizes in bytes."""
    line = _VARYING.sub("VARYING", line)
    numbers = [
        float(number.replace(",", "")) * _UNITS.get(unit, 1)
        for number, unit in _NUMBER.findall(line)
    ]
    return _NUMBER.sub("NUMBER", line).split(), numbers


def agree(one: str, other: str) -> bool:
    """Whether two lines have the same words, and numbers that differ by 5 % or 5 at most."""
    (words, numbers), (other_words, other_numbers) = map(words_and_numbers, (one, other))
    return words == other_words and all(
        math.isclose(*pair, rel_tol=0.05, abs_tol=5)
        for pair in zip(numbers, other_numbers, strict=True)
    )


@pytest.mark.estate
@pytest.mark.skipif("DEDUPE_ESTATE" not in os.environ, reason="DEDUPE_ESTATE names no estate")
def test_calls_print_what_the_tutorial_shows() -> None:
    """Packages are installed anew with every build, so figures may differ by a little."""
    printed = subprocess.run(
        [sys.executable, str(PROJECT / "data/tutorial.py"), os.environ["DEDUPE_ESTATE"]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    shown = (PROJECT / "docs/tutorial.md").read_text().splitlines()
    differing = [pair for pair in zip_longest(printed, shown, fillvalue="") if not agree(*pair)]
    assert differing == []


def test_lines_agree_if_their_figures_are_near() -> None:
    """Digests and equal images may differ; words, units and larger differences may not."""
    line = "    33.0 %     570 MB     382 MB  localhost/app/web:1.3  and 9 more"
    assert agree(line, "  32.9 %   571 MB     382 MB  localhost/app/web:1.2  and 9 more")
    assert agree("999 kB  freed", "1.0 MB  freed")
    assert agree("ADD file:2af68e73… in /", "ADD file:6315a9c5… in /")
    for other in (
        line.replace("570 MB", "640 MB"),
        line.replace("382 MB", "382 kB"),
        line.replace("more", "less"),
        line.replace("and 9", "and nine"),
    ):
        assert not agree(line, other)
