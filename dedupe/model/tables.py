"""Tables of the catalog: columns and types, written once. docs/catalog.md explains them."""

#: raised when a reader of older catalogs could misunderstand a column
SCHEMA_VERSION = 1

#: column -> DuckDB type, a table each; polars types follow from these in the store
TABLES: dict[str, dict[str, str]] = {
    "entries": {
        "layer": "VARCHAR",
        "member": "INTEGER",
        "path": "VARCHAR",
        "kind": "VARCHAR",
        "size_bytes": "BIGINT",
        "stored_bytes": "BIGINT",
        "mode": "INTEGER",
        "uid": "BIGINT",
        "gid": "BIGINT",
        "mtime_ns": "BIGINT",
        "link": "VARCHAR",
        "device": "VARCHAR",
        "xattrs": "VARCHAR",
        "content_hash": "BLOB",
        "raw_name": "BLOB",
        "flags": "VARCHAR",
    },
    "layers": {
        "layer": "VARCHAR",
        "diff_id": "VARCHAR",
        "verified": "BOOLEAN",
        "digest": "VARCHAR",
        "compression": "VARCHAR",
        "compressed_bytes": "BIGINT",
        "tar_bytes": "BIGINT",
        "content_bytes": "BIGINT",
        "entries": "BIGINT",
        "files": "BIGINT",
    },
    "scans": {
        "scan": "VARCHAR",
        "started": "DOUBLE",
        "finished": "DOUBLE",
        "layers_read": "BIGINT",
        "layers_named": "BIGINT",
        "version": "VARCHAR",
    },
    "sources": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "kind": "VARCHAR",
        "stored_bytes": "BIGINT",
        "orphan_bytes": "BIGINT",
    },
    "images": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "image_id": "VARCHAR",
        "digest": "VARCHAR",
        "kind": "VARCHAR",
        "names": "VARCHAR[]",
        "platform": "VARCHAR",
        "created": "VARCHAR",
    },
    "image_layers": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "image_id": "VARCHAR",
        "digest": "VARCHAR",
        "position": "INTEGER",
        "diff_id": "VARCHAR",
        "layer": "VARCHAR",
        "chain_id": "VARCHAR",
        "blob": "VARCHAR",
        "compressed_bytes": "BIGINT",
        "created_by": "VARCHAR",
        "state": "VARCHAR",
    },
    "problems": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "subject": "VARCHAR",
        "code": "VARCHAR",
        "message": "VARCHAR",
        "severity": "VARCHAR",
    },
}

#: tables of which every scan writes one file
SCAN_TABLES = ("scans", "sources", "images", "image_layers", "problems")
