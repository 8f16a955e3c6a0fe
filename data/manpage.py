"""Print the manual page, which is made from the help of all commands.

python data/manpage.py > docs/dedupe.1
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from asking import help_of, names

from dedupe import __version__

_FILES = """\
.SH FILES
.TP
.I $XDG_DATA_HOME/dedupe/catalog
The catalog, unless DEDUPE_CATALOG or \\-\\-catalog names another.
If XDG_DATA_HOME is not set, it is in
.IR ~/.local/share .
.SH ENVIRONMENT
.TP
.B DEDUPE_CATALOG
Folder of the catalog.
.TP
.B DEDUPE_MEMORY
Memory that questions may use, such as 4GB, unless \\-\\-memory says it.
.TP
.B DEDUPE_SPILL
Folder for what does not fit into it, unless \\-\\-spill names another.
.TP
.B DEDUPE_TRACEBACK
If set, an internal error prints a traceback.
.TP
.B NO_COLOR
If set, output has no colours.
.SH EXIT STATUS
.TP
.B 0
Complete.
.TP
.B 1
Something was skipped, or could not be verified; the rest was done.
.TP
.B 2
The call or a settings file cannot be understood.
.TP
.B 3
No source could be read.
.TP
.B 4
No layer could be read.
.TP
.B 5
There is no catalog, it cannot be read or written, or nothing in it matches.
.TP
.B 6
Another run holds the lock.
.TP
.B 7
Memory, or disk space for what does not fit into it, does not suffice.
.TP
.B 10
A rule failed.
.TP
.B 70
Internal error.
.TP
.B 130
Interrupted.
.SH EXAMPLES
.nf
dedupe scan /var/lib/containers/storage
dedupe report
dedupe findings \\-\\-limit 10
dedupe report \\-\\-format html \\-\\-output report.html
.fi
.SH SEE ALSO
.BR podman (1),
.BR skopeo (1),
.BR umoci (1)
"""


@dataclass(slots=True)
class _Help:
    """The parts of a help text."""

    usage: str = ""
    text: str = ""
    #: section -> its terms, each with its meaning
    lists: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def main() -> None:
    """Print the page."""
    top = _parsed()
    print(f'.TH DEDUPE 1 "" "dedupe {__version__}" "User Commands"')
    print(f".SH NAME\ndedupe \\- {_lowered(top.text.rstrip('.'))}")
    print(".SH SYNOPSIS\n.B dedupe\n.RI [ OPTIONS ]\n.I COMMAND\n.RI [ ARGUMENTS ]")
    print(f".SH DESCRIPTION\n{_escaped(top.text)}")
    print("Without a command it shows what the catalog holds, and what to do next.")
    print(".SH OPTIONS")
    _print_list(top.lists["Options"])
    print(".SH COMMANDS")
    for name in names():
        _print_command((name,))
        for below in names(name):
            _print_command((name, below))
    print(_FILES, end="")


def _print_command(words: tuple[str, ...]) -> None:
    shown = _parsed(*words)
    print(f".SS {_escaped(shown.usage)}\n{_escaped(shown.text)}")
    for title in ("Arguments", "Options"):
        _print_list([item for item in shown.lists.get(title, ()) if item[0] != "--help"])


def _print_list(items: list[tuple[str, str]]) -> None:
    for term, meaning in items:
        print(f".TP\n.B {_escaped(term)}\n{_escaped(meaning)}")


def _parsed(*words: str) -> _Help:
    first, _, rest = help_of(*words, plain=True).partition("\n")
    found = _Help(usage=first.removeprefix("Usage: ").strip())
    title, paragraphs = "", []
    for line in rest.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            title = line.removesuffix(":")
            found.lists[title] = []
        elif title and re.match(r"  \S", line):
            term, _, meaning = line.strip().partition("  ")
            found.lists[title].append((term, meaning.strip()))
        elif title and line.strip():
            term, meaning = found.lists[title].pop()
            found.lists[title].append((term, f"{meaning} {line.strip()}".strip()))
        elif not title:
            paragraphs.append(line.strip())
    found.text = " ".join(filter(None, paragraphs))
    return found


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _escaped(text: str) -> str:
    return re.sub(r"^([.'])", r"\\&\1", "".join(_signs(text)))


def _signs(text: str) -> Iterator[str]:
    for sign in text:
        yield {"-": "\\-", "\\": "\\e", "~": "\\(ti", "^": "\\(ha"}.get(sign, sign)


if __name__ == "__main__":
    main()
