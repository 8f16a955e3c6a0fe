"""Globs for paths inside images, as regular expressions for DuckDB."""

import re

#: one character, or one escaped byte, of a printable path; not a slash
_ONE = r"(?:\\x[0-9a-f]{2}|\\\\|[^/\\])"


def pattern_of(glob: str) -> str:
    """The regular expression of a glob, for whole paths from the root.

    ``*`` and ``?`` do not match a slash, ``**`` does, ``[a-z]`` and ``[!a-z]`` match one character.
    A glob without a slash matches names at any depth, one with a slash the whole path.
    """
    text = glob if "/" in glob else f"**/{glob}"
    text = text.lstrip("/")
    out, place = [], 0
    while place < len(text):
        rest = text[place:]
        if rest.startswith("**/"):
            out.append("(?:.*/)?")
            place += 3
        elif rest.startswith("**"):
            out.append(".*")
            place += 2
        elif found := re.match(r"\[([!^]?)(\]?[^]/]*)\]", rest):
            out.append(_one_of(found[2], negated=bool(found[1])))
            place += len(found[0])
        else:
            out.append({"*": f"{_ONE}*", "?": _ONE}.get(rest[0]) or re.escape(rest[0]))
            place += 1
    return "".join(out)


def _one_of(members: str, *, negated: bool) -> str:
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", members)
    return f"[^/\\\\{escaped}]" if negated else f"[{escaped}]"
