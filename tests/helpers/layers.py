"""Entries of a layer as rows."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from dedupe.layers.reader import read_layer
from dedupe.model.entries import EntryColumns, LayerFacts
from dedupe.model.images import BlobRef, LayerRef


def rows_of(ref: LayerRef) -> tuple[list[dict[str, Any]], LayerFacts]:
    """All entries of a layer as dictionaries, and what reading it has shown."""
    rows: list[dict[str, Any]] = []

    def emit(columns: EntryColumns) -> None:
        names = [each.name for each in fields(columns)]
        rows.extend(dict(zip(names, row, strict=True)) for row in columns.rows())

    facts = read_layer(ref, emit, lambda _: None)
    return rows, facts


def rows_of_tar(tar: bytes, folder: Path) -> tuple[list[dict[str, Any]], LayerFacts]:
    """The same of a tar."""
    path = folder / "judge.tar"
    path.write_bytes(tar)
    return rows_of(BlobRef(path))
