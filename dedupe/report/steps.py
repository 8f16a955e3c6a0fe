"""Build steps for people."""


def short_step(text: str | None, width: int) -> str:
    """A step without the shell that every builder writes before it, cut to a width."""
    text = (text or "").removeprefix("/bin/sh -c ").removeprefix("#(nop) ").strip()
    return text if len(text) <= width else text[: width - 1] + "…"
