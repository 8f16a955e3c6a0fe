"""tar-split data: what docker and podman keep of a layer's tar besides its contents.

The offsets of the contents come from dedupe's own tar reader.
"""

import base64
import gzip
import io
import json
from typing import Any

from dedupe.formats.tar import TarReader


def split_lines(tar: bytes, *, raw_names: bool = False) -> list[dict[str, Any]]:
    """tar-split's entries of this tar: its bytes without contents, and the names of those."""
    lines: list[dict[str, Any]] = []
    done = 0
    for member in TarReader(io.BytesIO(tar), hash_content=False):
        if not member.stored_size:
            continue
        lines.append(_literal(tar[done : member.offset]))
        try:
            name = {"name": member.name.decode()}
        except UnicodeDecodeError:
            raw_names = True
        if raw_names:
            name = {"name_raw": base64.b64encode(member.name).decode()}
        lines.append({"type": 1, **name, "size": member.stored_size, "payload": "AAAAAAAAAAA="})
        done = member.offset + member.stored_size
    lines.append(_literal(tar[done:]))
    return [{**line, "position": number} for number, line in enumerate(lines)]


def split_of(tar: bytes, **how: bool) -> bytes:
    """The file of tar-split data that stores keep."""
    return packed(split_lines(tar, **how))


def packed(lines: list[dict[str, Any]]) -> bytes:
    """Entries as lines of JSON, compressed by gzip."""
    return gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def _literal(data: bytes) -> dict[str, Any]:
    return {"type": 2, "payload": base64.b64encode(data).decode()}
