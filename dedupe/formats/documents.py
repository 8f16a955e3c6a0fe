"""JSON documents of a hostile store: bounded, objects where objects are expected."""

import json
from typing import Any

from dedupe.errors import SourceError

#: what registries accept for a manifest or an index
MAX_MANIFEST_BYTES = 4 << 20
#: configs hold the whole build history
MAX_CONFIG_BYTES = 16 << 20
# json's parser recurses; documents of this format are four levels deep
_MAX_DEPTH = 64

type_names = {dict: "an object", list: "a list", str: "a string", int: "a number"}


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in these bytes; SourceError ``not-json`` where there is none."""
    found: dict[str, Any] = _parse(data, name, dict)
    return found


def parse_list(data: bytes, name: str) -> list[Any]:
    """The JSON list in these bytes; SourceError ``not-json`` where there is none."""
    found: list[Any] = _parse(data, name, list)
    return found


def objects_in(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The list of objects under ``key``; empty where the key is absent or null.

    Raises SourceError ``bad-document`` where it holds anything else.
    """
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SourceError(f"{key}: expected a list of objects", "bad-document")
    return value


def object_in(document: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under ``key``; empty where it is absent or anything else."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def text_in(document: dict[str, Any], key: str) -> str:
    """The string under ``key``; empty where it is absent or anything else."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _parse(data: bytes, name: str, expected: type) -> Any:
    if data.count(b"[") + data.count(b"{") > _MAX_DEPTH and _depth(data) > _MAX_DEPTH:
        raise SourceError(f"{name}: nested deeper than {_MAX_DEPTH} levels", "not-json")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: not JSON: {error}", "not-json") from error
    if not isinstance(value, expected):
        raise SourceError(
            f"{name}: expected {type_names[expected]}, found "
            f"{type_names.get(type(value), type(value).__name__)}",
            "not-json",
        )
    return value


def _depth(data: bytes) -> int:
    """Greatest count of open brackets; brackets in strings only make it larger."""
    depth = deepest = 0
    for byte in data:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
