"""Text that people read is plain English: docs/style.md, "English".

Folders are covered once their text is rewritten: add them to COVERED.
"""

import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.tracked import tracked_files
from here import PROJECT

#: files, and folders with all that is in them
COVERED = (
    ".ci",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "Makefile",
    "README.md",
    "bench",
    "contrib",
    "data",
    "dedupe",
    "docs",
    "pyproject.toml",
    "queries",
    "tests",
)
#: files that quote the phrases
EXEMPT = ("LICENSE", "docs/style.md", "tests/project/test_english.py")
#: endings of files with text; in others (images, Parquet) there is nothing to read
TEXT = {".css", ".html", ".js", ".json", ".md", ".py", ".sql", ".toml", ".yaml", ".yml"}


#: a word between paragraphs, so that no phrase is found across them
_BREAK = "¶"


@dataclass(frozen=True)
class Phrase:
    """A phrase of which there is a plainer one; ``example`` is in docs/style.md."""

    pattern: str
    example: str
    better: str

    def find(self, text: str) -> list[int]:
        """Lines on which the phrase begins, from 1; it may go on after a line break."""
        words, lines = _words(text)
        starts = [0]
        for word in words:
            starts.append(starts[-1] + len(word) + 1)
        found = re.finditer(self.pattern, " ".join(words), re.IGNORECASE)
        return [lines[bisect_right(starts, each.start()) - 1] for each in found]


def _words(text: str) -> tuple[list[str], list[int]]:
    """Words with their lines; marks of comments are left out, and an empty line is a word."""
    words, lines = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        parts = [each for each in line.split() if each not in {"--", "#", "#:"}] or [_BREAK]
        words += parts
        lines += [number] * len(parts)
    return words, lines


BANNED = (
    Phrase(r"\bmend(?:s|ed|ing)?\b", "mended", "fixed"),
    Phrase(r"\b(?:wins?|won|winning)\b", "this wins 10 MB", "this saves 10 MB"),
    Phrase(r"\bspare[sd]?\b", "what that spares", "what that saves"),
    Phrase(
        r"\b(?:a|one|two) (?:row|line|page|file|copy|dictionary|table|question|key|sum)s? an? \w",
        "a row a container",
        "one row per container",
    ),
    Phrase(r"\bsaid of\b", "said of a layer", "reported for a layer"),
    Phrase(r"\b(?:is|was) said\b", "it is said", "it is reported"),
    Phrase(r"\btold by\b", "told by its magic bytes", "recognised by its magic bytes"),
    Phrase(r"(?<!there )\bis none\b", "a file that is none", "another kind of file"),
    Phrase(
        r"(?<!there )\bis no (?!longer\b|more\b|less\b)\w",
        "this is no image",
        "this is not an image; there is no image",
    ),
    Phrase(r"\bfor ever\b", "for ever", "forever"),
    Phrase(r"\bwhoever\b", "whoever waits", "the user who waits"),
    Phrase(r"\bwhat lies\b", "what lies below", "entries below it"),
    Phrase(
        r"\b(?:lies|lie|lay) (?:in|on|at|below|above|beside|between|there)\b",
        "the blob lies in the folder",
        "the blob is in the folder",
    ),
    Phrase(
        r"\bstands? (?:in|on|at|below|above|beside|there|where)\b",
        "the layer stands at position 3",
        "the layer is at position 3",
    ),
    Phrase(r"\bgo(?:es)? along\b", "goes along with its child", "is deleted with its child"),
    Phrase(r"\b(?:is|are|was|has|have) gone\b", "the file is gone", "the file is deleted"),
    Phrase(r"\bwent\b", "the entry went", "the entry was deleted"),
    Phrase(r"\bnamed already\b", "layers named already", "layers reused from the catalog"),
    Phrase(
        r"\b(?:null|empty|zero|none|error|true|false|[01]) where\b",
        "null where it is unknown",
        "null if it is unknown",
    ),
    Phrase(r"\bat the most\b", "20 rows at the most", "at most 20 rows"),
    Phrase(r"\bpay(?:s|ing)? for\b", "who pays for a layer", "to whom a layer is attributed"),
    Phrase(r"\bnot a sum\b", "the column is not a sum", "the column does not add up"),
    Phrase(r"\bfor people\b", "a name for people", "the name to show"),
    Phrase(r"\b(?:some|no)body\b", "somebody", "a user"),
)


def prose(path: Path) -> str:
    """Text of a file; of code only comments and strings, each on its own line number."""
    text = path.read_text()
    if path.suffix == ".py":
        return _python_prose(text)
    if path.suffix == ".sql":
        return _blanked(text, re.compile(r"--[^\n]*|'(?:[^']|'')*'"))
    return text


def _python_prose(text: str) -> str:
    kept = [""] * (text.count("\n") + 2)
    strings = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in strings:
            for line, part in enumerate(token.string.split("\n"), start=token.start[0] - 1):
                kept[line] += part
    return "\n".join(kept)


def _blanked(text: str, wanted: re.Pattern[str]) -> str:
    """The text with all but line breaks left out between what is wanted."""
    kept, end = [], 0
    for found in wanted.finditer(text):
        kept += ["\n" * text.count("\n", end, found.start()), found[0]]
        end = found.end()
    return "".join(kept)


def _covered() -> list[Path]:
    names = {path: path.relative_to(PROJECT).as_posix() for path in tracked_files()}
    return [
        path
        for path, name in names.items()
        if path.suffix in TEXT
        and name not in EXEMPT
        and any(name == each or name.startswith(f"{each}/") for each in COVERED)
    ]


@pytest.mark.parametrize("path", _covered(), ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_covered_files_have_no_banned_phrase(path: Path) -> None:
    """Each phrase found has a plainer one."""
    text = prose(path)
    found = [
        f"{path.relative_to(PROJECT)}:{line}: not {each.example!r}, but {each.better!r}"
        for each in BANNED
        for line in each.find(text)
    ]
    assert not found, "\n".join(found)


def test_covered_names_exist() -> None:
    """A folder that was moved does not drop out unnoticed."""
    for name in COVERED:
        assert (PROJECT / name).exists(), name


@pytest.mark.parametrize("phrase", BANNED, ids=lambda phrase: phrase.example)
def test_a_pattern_finds_its_example_and_not_the_better_phrase(phrase: Phrase) -> None:
    """docs/style.md shows the example."""
    assert phrase.find(phrase.example) == [1]
    assert all(not each.find(phrase.better) for each in BANNED)
    assert phrase.example in (PROJECT / "docs/style.md").read_text()


def test_a_phrase_is_found_across_a_line_break() -> None:
    """A phrase is found where a comment or docstring is wrapped inside it."""
    row = next(each for each in BANNED if each.example == "a row a container")
    assert row.find("first\n-- a row\n-- a layer") == [2]
    assert row.find("# one row a\n#  layer") == [1]
    assert row.find("What a row is\n\nA row a\n\nlayer") == []


def test_only_comments_and_strings_of_code_are_read(tmp_path: Path) -> None:
    """Names of variables and columns are not prose."""
    code = tmp_path / "code.py"
    code.write_text('won = "a"\n# b\n\nmend(won)\n')
    assert prose(code).split("\n")[:4] == ['"a"', "# b", "", ""]
    query = tmp_path / "query.sql"
    query.write_text("SELECT won, 'a'\n-- b\nFROM won;\n")
    assert prose(query).split("\n") == ["'a'", "-- b"]
