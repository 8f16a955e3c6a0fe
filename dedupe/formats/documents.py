"""Read JSON documents of a hostile store: bounded in depth, and of the expected types."""

import json
from typing import Any

from dedupe.errors import SourceError

#: Registries refuse larger manifests and indexes.
MAX_MANIFEST_BYTES = 4 << 20
#: Configs contain the whole build history, so they may be larger.
MAX_CONFIG_BYTES = 16 << 20
#: Python's parser recurses once per level. Real documents are about four levels deep.
_MAX_DEPTH = 64

_TYPE_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a number"}


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object; raises SourceError ``not-json`` for anything else."""
    found: dict[str, Any] = _parse(data, name, dict)
    return found


def parse_list(data: bytes, name: str) -> list[Any]:
    """Parse a JSON list, or null, as Go writes an empty one; raises SourceError ``not-json``."""
    if data.strip() == b"null":
        return []
    found: list[Any] = _parse(data, name, list)
    return found


def objects_in(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the list of objects under ``key``; empty if the key is absent or null.

    Raises SourceError ``bad-document`` if the value is anything else.
    """
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SourceError(f"{key}: expected a list of objects", "bad-document")
    return value


def listed_objects(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the list of objects under ``key``, which must be there; null is an empty list.

    Raises SourceError ``bad-document``.
    """
    if key not in document:
        raise SourceError(f"expected {key}, a list of objects", "bad-document")
    return objects_in(document, key)


def object_in(document: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object under ``key``; empty if it is absent or anything else."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def text_in(document: dict[str, Any], key: str) -> str:
    """Return the string under ``key``; empty if it is absent or anything else."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _parse(data: bytes, name: str, expected: type) -> Any:
    # counting is fast, and for nearly all documents it is enough
    if data.count(b"[") + data.count(b"{") > _MAX_DEPTH and _depth(data) > _MAX_DEPTH:
        raise SourceError(f"{name}: nested deeper than {_MAX_DEPTH} levels", "not-json")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: not JSON: {error}", "not-json") from error
    if not isinstance(value, expected):
        raise SourceError(
            f"{name}: expected {_TYPE_NAMES[expected]}, found "
            f"{_TYPE_NAMES.get(type(value), type(value).__name__)}",
            "not-json",
        )
    return value


def _depth(data: bytes) -> int:
    """Return the greatest number of open brackets; brackets in strings count too."""
    depth = deepest = 0
    for byte in data:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
