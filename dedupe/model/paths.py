r"""One printable, reversible form for the paths of images.

Paths in layers are bytes: not always UTF-8, and an image may have newlines, terminal escapes or
right-to-left marks in them. Everywhere in the catalog and in reports a path is text in which

- valid, printable UTF-8 is itself,
- a backslash is written ``\\``,
- every other byte (invalid UTF-8, control characters, marks that change the reading direction,
  line and paragraph separators) is written ``\xHH``, two lower-case hexadecimal digits.

Different bytes have different text, so that the text is a key; ``path_bytes`` gives the bytes.
"""

import re

# C0, DEL, C1; zero-width and bidirectional marks; line and paragraph separators; BOM; surrogates
# (which surrogateescape makes of bytes that are not UTF-8); language tags, which are invisible
_HIDDEN = re.compile(
    "[\\\\\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_ESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def path_text(raw: bytes) -> str:
    """The printable form of these bytes."""
    text = raw.decode("utf-8", "surrogateescape")
    # faster than a search; all that is hidden is not printable, but for the backslash
    if text.isprintable() and "\\" not in text:
        return text
    return _HIDDEN.sub(_escape, text) if _HIDDEN.search(text) else text


def path_bytes(text: str) -> bytes:
    """The bytes of a printable form."""
    return _ESCAPED.sub(
        lambda found: bytes([int(found[1], 16)]) if found[1] else b"\\", text.encode()
    )


def printable(text: str) -> str:
    """Foreign text, such as a reference or a build step, in the printable form of a path.

    A lone surrogate, which JSON can have but UTF-8 cannot, is escaped too.
    """
    return path_text(text.encode("utf-8", "surrogatepass"))


def _escape(found: re.Match[str]) -> str:
    if found[0] == "\\":
        return "\\\\"
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "surrogateescape"))
