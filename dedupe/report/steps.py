"""Build steps for people."""

import re

#: what a builder names the files by that it copied
_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")


def short_step(text: str | None, width: int) -> str:
    """A step without the shell that every builder writes before it, cut to a width."""
    text = (text or "").removeprefix("/bin/sh -c ").removeprefix("#(nop) ").strip()
    text = _DIGEST.sub(r"\1…", text)
    return text if len(text) <= width else text[: width - 1] + "…"
