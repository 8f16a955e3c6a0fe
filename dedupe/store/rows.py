"""The rows that a scan writes into its own tables, and tables as polars frames."""

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from dedupe import __version__
from dedupe.model.disk import FoundPlace
from dedupe.model.images import FoundOther, FoundSource, ImageDetails
from dedupe.model.outcome import ProblemRow
from dedupe.model.tables import TABLES
from dedupe.scan.interface import ScannedImage, ScanResult

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]


def scan_rows(scan: str, result: ScanResult) -> dict[str, list[Row]]:
    """Table -> the rows that this scan writes."""
    # the ID of an image without a config is known once it was read
    bare = {image.source: image.image_id for image in result.images if not image.found.image_id}
    measured = [
        *((source.location, source.places) for source in result.sources),
        *((folder.location, folder.places) for folder in result.folders),
    ]
    return {
        "scans": [_scan_row(scan, result)],
        "sources": [_source_row(scan, source) for source in result.sources],
        "images": [
            *(
                _other_row(scan, source.location, other)
                for source in result.sources
                for other in source.others
            ),
            *(_image_row(scan, image) for image in result.images),
        ],
        "image_layers": [row for image in result.images for row in _layer_rows(scan, image)],
        "containers": [{"scan": scan, **asdict(each)} for each in result.containers],
        "disk": [
            _place_row(scan, location, place) for location, places in measured for place in places
        ],
        "holds": [
            row
            for source in result.sources
            for place in source.places
            for row in _hold_rows(scan, source.location, place, bare.get(source.location, ""))
        ],
        "held_blobs": [
            {
                "scan": scan,
                "source": source.location,
                "holder": held.holder or bare.get(source.location, ""),
                "blob": held.digest,
                "stored_bytes": held.stored_bytes,
            }
            for source in result.sources
            for held in source.held_blobs
        ],
        "problems": [_problem_row(scan, problem) for problem in result.problems],
    }


def frame(table: str, columns: dict[str, list[Any]]) -> "pl.DataFrame":
    """Columns of a table as a frame of the table's types."""
    # polars takes longer to import than planning a scan does; it is needed from here on
    import polars as pl

    types: dict[str, Any] = {
        "VARCHAR": pl.String,
        "INTEGER": pl.Int32,
        "BIGINT": pl.Int64,
        "BLOB": pl.Binary,
        "BOOLEAN": pl.Boolean,
        "DOUBLE": pl.Float64,
        "VARCHAR[]": pl.List(pl.String),
    }
    schema = {name: types[kind] for name, kind in TABLES[table].items()}
    return pl.DataFrame(columns, schema=schema)


def _scan_row(scan: str, result: ScanResult) -> Row:
    return {
        "scan": scan,
        "started": result.started,
        "finished": result.finished,
        "layers_read": result.layers_read,
        "layers_reused": result.layers_reused,
        "version": __version__,
        "places": list(result.places),
        "gone": list(result.gone),
    }


def _source_row(scan: str, source: FoundSource) -> Row:
    return {
        "scan": scan,
        "source": source.location,
        "kind": source.kind.value,
        "stored_bytes": source.stored_bytes,
        "orphan_bytes": source.orphan_bytes,
        "orphan_blob_bytes": source.orphan_blob_bytes,
        "orphan_unpacked_bytes": source.orphan_unpacked_bytes,
        "rest_blob_bytes": source.rest_blob_bytes,
        "unseen_references": source.unseen_references,
        "names_images": source.names_images,
        "allocated_bytes": source.allocated_bytes,
        "other_bytes": source.other_bytes,
        "readable": source.is_readable,
    }


def _other_row(scan: str, source: str, other: FoundOther) -> Row:
    return {
        "scan": scan,
        "source": source,
        "image_id": None,
        "digest": other.digest,
        "kind": other.kind,
        "names": list(other.names),
        "stored_bytes": other.stored_bytes,
        **_details(ImageDetails(other.platform)),
        "store_id": None,
        "parent_id": None,
        "media_type": other.media_type,
        "subject": other.subject,
        "held_by": list(other.images),
    }


def _image_row(scan: str, image: ScannedImage) -> Row:
    found = image.found
    return {
        "scan": scan,
        "source": image.source,
        "image_id": image.image_id,
        "digest": found.digest,
        "kind": "image",
        "names": list(found.names),
        # an image's bytes are those of its layers
        "stored_bytes": None,
        **_details(found.details),
        "store_id": found.store_id,
        "parent_id": found.parent_id,
        "media_type": None,
        "subject": None,
        "held_by": [],
    }


def _details(details: ImageDetails) -> Row:
    columns = {field.name: getattr(details, field.name) for field in fields(details)}
    return {**columns, "platform": str(details.platform)}


def _layer_rows(scan: str, image: ScannedImage) -> list[Row]:
    return [
        {
            "scan": scan,
            "source": image.source,
            "image_id": image.image_id,
            "digest": image.found.digest,
            "position": layer.position,
            "diff_id": layer.diff_id,
            "layer": layer.layer,
            "chain_id": layer.chain_id,
            "blob": layer.digest,
            "compressed_bytes": layer.compressed_bytes,
            "created_by": layer.created_by,
            "state": layer.state.value,
            "problem": layer.problem,
            "allocated_bytes": layer.allocated_bytes,
        }
        for layer in image.layers
    ]


def _place_row(scan: str, source: str, place: FoundPlace) -> Row:
    facts = place.facts
    return {
        "scan": scan,
        "source": source,
        "path": place.path,
        "kind": facts.kind.value,
        "owner": facts.owner,
        "subject": facts.subject,
        "form": facts.form.value if facts.form else None,
        "scope": facts.scope,
        "allocated_bytes": place.allocated_bytes,
        "file_bytes": place.file_bytes,
        "files": place.files,
        "changed": place.changed,
        "command": list(facts.command),
    }


def _hold_rows(scan: str, source: str, place: FoundPlace, bare: str) -> list[Row]:
    return [
        {
            "scan": scan,
            "source": source,
            "path": place.path,
            "kind": holder.kind.value,
            "name": holder.name or bare,
            "release": list(holder.release),
        }
        for holder in place.facts.holders
    ]


def _problem_row(scan: str, problem: ProblemRow) -> Row:
    return {
        "scan": scan,
        "source": problem.source,
        "subject": problem.subject,
        "code": problem.code,
        "message": problem.message,
        "severity": problem.severity.value,
        "blob": problem.blob,
        "images": list(problem.images),
    }
