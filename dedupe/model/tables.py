"""Tables of the catalog: columns and types, defined once. docs/catalog.md explains them."""

#: raised if a program that knows only the version before could misunderstand a file; store/versions
#: says how older files are read, and that a new column does not raise it
SCHEMA_VERSION = 3

#: raised if the reader of layers makes other rows of the same tar: layers that an older reader read
#: are read again. 2: links of a layer are followed. Rows without a reader are of 1
READER_VERSION = 2

#: table -> column -> DuckDB type; store/rows has the polars type of each
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
        "zero_bytes": "BIGINT",
        "raw_name": "BLOB",
        "flags": "VARCHAR",
    },
    "layers": {
        "layer": "VARCHAR",
        "diff_id": "VARCHAR",
        "verified": "VARCHAR",
        "digest": "VARCHAR",
        "compression": "VARCHAR",
        "compressed_bytes": "BIGINT",
        "tar_bytes": "BIGINT",
        "content_bytes": "BIGINT",
        "entries": "BIGINT",
        "files": "BIGINT",
        "reader": "INTEGER",
        "rows_digest": "VARCHAR",
        "entries_in": "VARCHAR[]",
    },
    "scans": {
        "scan": "VARCHAR",
        "started": "DOUBLE",
        "finished": "DOUBLE",
        "layers_read": "BIGINT",
        "layers_reused": "BIGINT",
        "version": "VARCHAR",
        "places": "VARCHAR[]",
        "gone": "VARCHAR[]",
    },
    "sources": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "kind": "VARCHAR",
        "stored_bytes": "BIGINT",
        "orphan_bytes": "BIGINT",
        "orphan_blob_bytes": "BIGINT",
        "orphan_unpacked_bytes": "BIGINT",
        "rest_blob_bytes": "BIGINT",
        "unseen_references": "VARCHAR",
        "names_images": "BOOLEAN",
        "allocated_bytes": "BIGINT",
        "other_bytes": "BIGINT",
        "readable": "BOOLEAN",
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
        "store_id": "VARCHAR",
        "parent_id": "VARCHAR",
        "namespaced": "VARCHAR[]",
        "stored_bytes": "BIGINT",
        "media_type": "VARCHAR",
        "subject": "VARCHAR",
        "held_by": "VARCHAR[]",
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
        "problem": "VARCHAR",
        "allocated_bytes": "BIGINT",
    },
    "containers": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "container_id": "VARCHAR",
        "name": "VARCHAR",
        "image_id": "VARCHAR",
        "image": "VARCHAR",
        "running": "BOOLEAN",
        "layer": "VARCHAR",
        "allocated_bytes": "BIGINT",
    },
    "disk": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "path": "VARCHAR",
        "kind": "VARCHAR",
        "owner": "VARCHAR",
        "subject": "VARCHAR",
        "form": "VARCHAR",
        "scope": "VARCHAR",
        "allocated_bytes": "BIGINT",
        "file_bytes": "BIGINT",
        "files": "BIGINT",
        "changed": "DOUBLE",
        "command": "VARCHAR[]",
    },
    "holds": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "path": "VARCHAR",
        "kind": "VARCHAR",
        "name": "VARCHAR",
        "release": "VARCHAR[]",
    },
    "held_blobs": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "holder": "VARCHAR",
        "blob": "VARCHAR",
        "stored_bytes": "BIGINT",
    },
    "problems": {
        "scan": "VARCHAR",
        "source": "VARCHAR",
        "subject": "VARCHAR",
        "code": "VARCHAR",
        "message": "VARCHAR",
        "severity": "VARCHAR",
        "blob": "VARCHAR",
        "images": "VARCHAR[]",
    },
}

#: tables of which each scan writes a file; the others have files per layer
SCAN_TABLES = (
    *("scans", "sources", "images", "image_layers", "containers", "disk", "holds", "held_blobs"),
    "problems",
)

#: tables that scans of earlier programs have no file of
LATER_TABLES = ("disk", "holds", "held_blobs")

#: derived rows of fewer entries are made again by each session, which takes less than a second; but
#: once a catalog keeps any, all are kept
KEEP_FROM_ENTRIES = 20_000

#: group -> table -> column -> DuckDB type. The first table of a group lists what has derived rows;
#: the others are made in this order by ``queries/derived/<table>.sql``
DERIVED_TABLES: dict[str, dict[str, dict[str, str]]] = {
    "nodes": {
        "node_mark": {"node_id": "UUID"},
        "node_shadow": {
            "node_id": "UUID",
            "added_position": "INTEGER",
            "member": "INTEGER",
            "path": "VARCHAR",
            "spelling": "VARCHAR",
            "file_path": "VARCHAR",
            "size_bytes": "BIGINT",
            "cause": "VARCHAR",
            "changed_fields": "VARCHAR[]",
            "upper_mode": "INTEGER",
            "upper_uid": "BIGINT",
            "upper_gid": "BIGINT",
        },
        "node_hidden": {
            "node_id": "UUID",
            "cause": "VARCHAR",
            "files": "BIGINT",
            "size_bytes": "BIGINT",
        },
        "node_dangling": {
            "node_id": "UUID",
            "path": "VARCHAR",
            "target": "VARCHAR",
            "is_folder": "BOOLEAN",
        },
        "node_divergence": {"node_id": "UUID", "path": "VARCHAR", "case_name": "VARCHAR"},
        "node_symlinked": {
            "node_id": "UUID",
            "path": "VARCHAR",
            "paths": "BIGINT",
            "is_own": "BOOLEAN",
        },
    },
    "layers": {
        "layer_mark": {"rows_id": "UUID"},
        "layer_folder": {
            "rows_id": "UUID",
            "folder": "VARCHAR",
            "files": "BIGINT",
            "size_bytes": "BIGINT",
            "replaced_bytes": "BIGINT",
            "class": "UUID",
        },
        "layer_noted": {
            "rows_id": "UUID",
            "member": "INTEGER",
            "path": "VARCHAR",
            "size_bytes": "BIGINT",
            "zero_bytes": "BIGINT",
            "cache": "VARCHAR",
        },
        "layer_flagged": {
            "rows_id": "UUID",
            "member": "INTEGER",
            "path": "VARCHAR",
            "spelling": "VARCHAR",
            "kind": "VARCHAR",
            "flags": "VARCHAR",
        },
        "layer_largest": {"rows_id": "UUID", "file": "UUID", "bytes": "BIGINT"},
    },
    "twins": {
        "layer_fact": {"rows_id": "UUID", "description": "UUID", "exact": "UUID"},
    },
    "contents": {
        "layer_number": {"rows_id": "UUID", "number": "INTEGER"},
        "content_place": {
            "class": "BIGINT",
            "former": "BIGINT",
            "content": "UUID",
            "rest": "UUID",
            "size_bytes": "BIGINT",
            "paths": "VARCHAR[]",
        },
        "class_member": {"class": "BIGINT", "number": "INTEGER", "copies": "BIGINT"},
        "class_change": {
            "class": "BIGINT",
            "extends": "BIGINT",
            "contents": "BIGINT",
            "bytes": "BIGINT",
            "copies": "BIGINT",
        },
    },
}
