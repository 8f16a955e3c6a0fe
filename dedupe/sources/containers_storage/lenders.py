"""Image stores that the host's configuration lets a store borrow layers from."""

import tomllib
from pathlib import Path
from typing import Any

from dedupe.formats.documents import object_in, text_in

_CONFIGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")


def configured_lenders(root: Path) -> list[Path]:
    """Image stores in the host's configuration, if this root is the configured one."""
    storage = _configuration()
    if not _is_same(text_in(storage, "graphroot"), root):
        return []
    return [Path(name) for name in _stores(storage)]


def configured_borrower(root: Path) -> str | None:
    """The configured root of the host, if this one is an image store that it borrows from."""
    storage = _configuration()
    graph_root = text_in(storage, "graphroot")
    if not graph_root or _is_same(graph_root, root):
        return None
    return graph_root if any(_is_same(name, root) for name in _stores(storage)) else None


def _configuration() -> dict[str, Any]:
    """The table ``storage`` of the first configuration that can be read."""
    for name in _CONFIGS:
        try:
            with open(name, "rb") as file:
                return object_in(tomllib.load(file), "storage")
        except (OSError, tomllib.TOMLDecodeError):
            continue
    return {}


def _stores(storage: dict[str, Any]) -> list[str]:
    more = object_in(storage, "options").get("additionalimagestores")
    named = [storage.get("imagestore"), *(more if isinstance(more, list) else [])]
    return [name for name in named if isinstance(name, str) and name]


def _is_same(name: str, root: Path) -> bool:
    try:
        return bool(name) and Path(name).samefile(root)
    except (OSError, ValueError):
        return False
