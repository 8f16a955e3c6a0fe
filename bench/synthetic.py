"""Write a catalog of any size that is shaped like a registry, without images.

    python bench/synthetic.py FOLDER --entries N [--seed S]

There are 12 tags per repository, on 40 bases of 6,000 entries and 200 runtimes of 9,000.
Dependencies (5,000) change with every fourth tag, and each tag has an application (150). Every
fifth image has a chmod of its application, every seventh removes folders of its lower layers. Half
of the contents are unique, the others follow a Zipf law. One entry in a hundred is a symbolic link,
one in two hundred a hard link. N is reached at a multiple of 50 images; below 100,000 entries,
layers are smaller instead. The same N and S always give the same rows.

| entries | images | layers |
|---|---|---|
| 10^5 | 50 | 91 |
| 10^6 | 400 | 706 |
| 10^7 | 5,600 | 9,160 |
| 10^8 | 68,500 | 109,351 |
"""

import argparse
import hashlib
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dedupe import __version__
from dedupe.model.tables import READER_VERSION, TABLES
from dedupe.store.bulk import PACK_ROWS, write_layers, write_scan
from dedupe.store.catalog import Catalog
from dedupe.store.rows import frame

SCAN = "20261125T000000.000000Z-0000"
_LOCATION = "/var/lib/registry"
_TAGS, _BASES, _RUNTIMES, _TEAMS = 12, 40, 200, 40
#: images are made in groups of so many, so that each size has all kinds of layers
_GROUP = 50
#: below so many entries, layers are smaller
_WHOLE = 100_000
_NOW = 1_732_500_000


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer to make: a folder with files, and the paths that it removes."""

    key: str
    folder: str
    count: int
    #: layers with the same seed have files of the same contents
    seed: int
    mode: int = 0o644
    removed: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()

    @property
    def entries(self) -> int:
        """Number of its rows."""
        return self.count + len(self.removed) + len(self.opaque)


@dataclass(slots=True)
class _Store:
    """What was planned: every layer once, and the layers of each image."""

    seed: int
    scale: float
    layers: dict[str, _Layer] = field(default_factory=dict)
    entries: int = 0
    #: image -> step and layer, the lowest first
    images: list[list[tuple[str, str]]] = field(default_factory=list)

    def add(self, step: str, name: str, folder: str, count: int, **more: Any) -> tuple[str, str]:
        """Plan a layer unless one of this name is planned; returns its step and key."""
        key = _digest(self.seed, name)
        if key not in self.layers:
            seed = more.pop("content", name)
            files = max(2, round(count * self.scale)) if count > 1 else count
            layer = _Layer(
                key, folder, files, int(_digest(self.seed, "content", seed)[7:20], 16), **more
            )
            self.layers[key] = layer
            self.entries += layer.entries
        return step, key


def plan(entries: int, seed: int) -> _Store:
    """Plan images until they have so many entries."""
    store = _Store(seed, min(1.0, entries / _WHOLE))
    while len(store.images) % _GROUP or store.entries < entries:
        store.images.append(_steps(store, len(store.images)))
    return store


def _steps(store: _Store, image: int) -> list[tuple[str, str]]:
    repository, tag = divmod(image, _TAGS)
    base, runtime = repository % _BASES, repository % _RUNTIMES
    wanted = f"{repository} {tag // 4}"
    steps = [
        store.add("ADD rootfs.tar /", f"base {base}", "usr/lib", 6_000),
        store.add(
            f"RUN apt-get install runtime-{runtime}", f"runtime {runtime}", "usr/lib/rt", 9_000
        ),
        # of three sets of dependencies, the second has the contents of the first
        store.add(
            "RUN pip install -r requirements.txt",
            f"dependencies {wanted}",
            "opt/venv/lib",
            5_000,
            content=f"dependencies {repository} {tag // 8}",
        ),
        store.add("COPY app /srv", f"app {image}", "srv/app", 150),
    ]
    if image % 5 == 0:
        steps.append(
            store.add(
                "RUN chmod -R a+x /srv",
                f"chmod {image}",
                "srv/app",
                150,
                content=f"app {image}",
                mode=0o755,
            )
        )
    if image % 7 == 0:
        steps.append(
            store.add(
                "RUN rm -rf /opt/venv/lib/d1 /usr/lib/d0",
                f"rm {image}",
                "tmp",
                1,
                removed=("opt/venv/lib/d1", "usr/lib/d0"),
                opaque=("usr/lib/rt/d0",) if image % 21 == 0 else (),
            )
        )
    return steps


class _Entries:
    """Makes the entries of layers, as columns."""

    def __init__(self, entries: int, seed: int) -> None:
        #: contents that occur often
        self._pool = max(1_000, entries // 4)
        made = random.Random(seed)  # noqa: S311  # the same bytes every time
        # random bytes for each 16 bits of a number: as hard to compress as hashes are
        self._bytes = [pl.Series([made.randbytes(8) for _ in range(1 << 16)]) for _ in range(4)]

    def make(self, layers: list[_Layer]) -> pl.DataFrame:
        """Rows of ``entries`` of these layers."""
        columns = ("key", "folder", "count", "seed", "mode")
        planned = pl.DataFrame(
            {name: [getattr(layer, name) for layer in layers] for name in columns},
            schema_overrides={"seed": pl.UInt64, "mode": pl.Int32},
        ).lazy()
        rows = (
            planned.with_columns(
                folders=pl.max_horizontal(pl.lit(1), pl.col("count") // 12),
                member=pl.int_ranges(0, pl.col("count"), dtype=pl.Int32),
            )
            .explode("member")
            .with_columns(number=pl.col("member") - pl.col("folders"))
            .with_columns(kind=_kind(pl.col("number")))
            .with_columns(
                path=_path(pl.col("number")),
                content=self._content(),
                mtime_ns=_mixed(pl.col("seed") + _package()),
            )
        )
        is_file = pl.col("kind") == "file"
        size = pl.col("content") * 2_654_435_761 % 100_003 * _greater()
        size = pl.when(is_file).then(size.cast(pl.Int64)).otherwise(0)
        made = rows.select(
            pl.col("key").alias("layer"),
            "member",
            "path",
            "kind",
            size_bytes=size,
            mode=pl.when(pl.col("kind") == "directory")
            .then(0o755)
            .otherwise("mode")
            .cast(pl.Int32),
            uid=pl.lit(0, pl.Int64),
            gid=pl.lit(0, pl.Int64),
            mtime_ns=(_NOW - (pl.col("mtime_ns") % 100_000_000).cast(pl.Int64)) * 1_000_000_000,
            link=_link(),
            content_hash=pl.when(is_file).then(self._hash()),
        )
        return pl.concat([made.collect(), self._marks(layers)], how="diagonal_relaxed")

    def _marks(self, layers: list[_Layer]) -> pl.DataFrame:
        """Whiteouts and opaque marks, which are few."""
        marks = [
            (layer.key, layer.count + place, path, kind)
            for layer in layers
            for place, (path, kind) in enumerate(
                (
                    *((path, "whiteout") for path in layer.removed),
                    *((path, "opaque") for path in layer.opaque),
                )
            )
        ]
        types = {"layer": pl.String, "member": pl.Int32, "path": pl.String, "kind": pl.String}
        return pl.DataFrame(marks, schema=types, orient="row").with_columns(
            size_bytes=pl.lit(0, pl.Int64),
            mode=pl.lit(0o644, pl.Int32),
            uid=pl.lit(0, pl.Int64),
            gid=pl.lit(0, pl.Int64),
            mtime_ns=pl.lit(0, pl.Int64),
        )

    def _content(self) -> pl.Expr:
        """A number for the content of each file."""
        chance = _mixed(pl.col("seed") + pl.col("member").cast(pl.UInt64) * 7)
        share = (chance // 2 + 1).cast(pl.Float64) / 2.0**63
        # the continuous form of a Zipf law with exponent 1.3
        rank = share.pow(-1 / 0.3).clip(1, 1e15).cast(pl.UInt64)
        common = rank * 2_654_435_761 % self._pool
        return pl.when(chance % 2 == 0).then(common).otherwise(chance)

    def _hash(self) -> pl.Expr:
        mixed = _mixed(pl.col("content"))
        parts = [
            pl.lit(table).gather(mixed // 2 ** (16 * place) % (1 << 16))
            for place, table in enumerate(self._bytes)
        ]
        return parts[0] + parts[1] + parts[2] + parts[3]


def _mixed(number: pl.Expr) -> pl.Expr:
    """Another number of 64 bits for each number: the end of splitmix64. Products wrap around."""
    first = (number ^ (number // 2**30)) * 13_787_848_793_156_543_929
    second = (first ^ (first // 2**27)) * 10_723_151_780_598_845_931
    return second ^ (second // 2**31)


def _kind(number: pl.Expr) -> pl.Expr:
    return (
        pl.when(number < 0)
        .then(pl.lit("directory"))
        .when(number % 97 == 13)
        .then(pl.lit("symlink"))
        # its target is the file before it
        .when((number % 211 == 17) & (number % 97 != 14))
        .then(pl.lit("hardlink"))
        .otherwise(pl.lit("file"))
    )


def _path(number: pl.Expr) -> pl.Expr:
    """Path of a file; negative numbers are those of folders, the first of which is the topmost."""
    folder = (
        pl.when(number < 0).then(number + pl.col("folders")).otherwise(number % pl.col("folders"))
    )
    place = (
        pl.when(folder == 0)
        .then("folder")
        .otherwise(pl.format("{}/d{}/s{}", "folder", folder // 20, folder))
    )
    return pl.when(number < 0).then(place).otherwise(pl.format("{}/file{}.py", place, number))


def _link() -> pl.Expr:
    before = _path(pl.col("number") - 1)
    return (
        pl.when(pl.col("kind") == "hardlink")
        .then(before)
        .when(pl.col("kind") == "symlink")
        .then(pl.format("/{}", before))
    )


def _package() -> pl.Expr:
    """A number for groups of 40 members, which have the same time; all names of a file have one."""
    first_name = pl.col("member") - (pl.col("kind") == "hardlink").cast(pl.Int32)
    return (first_name // 40).cast(pl.UInt64)


def _greater() -> pl.Expr:
    """A few contents are much larger than the others."""
    return pl.when(pl.col("content") % 17 == 0).then(41).otherwise(1).cast(pl.UInt64)


def _facts(entries: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``layers``, of the entries of whole layers."""
    size = pl.col("size_bytes").sum()
    return (
        entries.lazy()
        .group_by("layer")
        .agg(
            diff_id=pl.col("layer").first(),
            verified=pl.lit("blob"),
            compression=pl.lit("gzip"),
            compressed_bytes=size // 3 + 200,
            tar_bytes=size + 1024 * pl.len().cast(pl.Int64),
            content_bytes=size,
            entries=pl.len().cast(pl.Int64),
            files=(pl.col("kind") == "file").sum().cast(pl.Int64),
            reader=pl.lit(READER_VERSION, pl.Int32),
        )
        .with_columns(
            digest=pl.col("layer").map_elements(lambda key: _digest("blob", key), pl.String)
        )
        .collect()
    )


def _batches(layers: list[_Layer]) -> Iterator[list[_Layer]]:
    """Layers in groups of about as many entries as a pack has."""
    batch: list[_Layer] = []
    count = 0
    for layer in layers:
        if batch and count + layer.entries > PACK_ROWS:
            yield batch
            batch, count = [], 0
        batch.append(layer)
        count += layer.entries
    yield batch


def _scan(store: _Store, sizes: dict[str, int]) -> dict[str, pl.DataFrame]:
    """Rows of the scan's tables; ``sizes`` are the compressed bytes of layers."""
    images, stacks = [], []
    for number, steps in enumerate(store.images):
        repository, tag = divmod(number, _TAGS)
        image = _digest(store.seed, f"image {number}")
        named = f"registry.example.com/team{repository % _TEAMS}/service{repository}"
        tags = [f"{named}:1.{tag}.0", *([f"{named}:latest"] if tag == _TAGS - 1 else [])]
        same = {"scan": SCAN, "source": _LOCATION, "image_id": image, "digest": image}
        created = f"{2020 + repository % 6}-{repository % 12 + 1:02}-{tag + 1:02}T00:00:00Z"
        details = {"kind": "image", "names": tags, "platform": "linux/amd64", "created": created}
        images.append({**same, **details})
        chain = ""
        for position, (step, key) in enumerate(steps):
            chain = _sha256(f"{chain} {key}") if chain else key
            stacks.append(
                {
                    **same,
                    "position": position,
                    "diff_id": key,
                    "layer": key,
                    "chain_id": chain,
                    "blob": _digest("blob", key),
                    "compressed_bytes": sizes[key],
                    "created_by": step,
                    "state": "read",
                }
            )
    source = {"scan": SCAN, "source": _LOCATION, "kind": "registry", "readable": True}
    source |= {"stored_bytes": sum(sizes.values()), "orphan_bytes": 0, "other_bytes": 0}
    times = {"started": _NOW - 60.0, "finished": float(_NOW)}
    scan = {"scan": SCAN, **times, "layers_read": len(sizes), "layers_reused": 0}
    scan |= {"version": __version__, "places": [_LOCATION], "gone": []}
    return {
        "scans": _frame("scans", [scan]),
        "sources": _frame("sources", [source]),
        "images": _frame("images", images),
        "image_layers": _frame("image_layers", stacks),
    }


def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return frame(table, {name: [row.get(name) for row in rows] for name in TABLES[table]})


def _digest(*what: object) -> str:
    return _sha256(repr(what))


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, entries: int, seed: int = 0) -> str:
    """Write the catalog; returns what it has."""
    store = plan(entries, seed)
    catalog = Catalog(folder)
    maker = _Entries(entries, seed)
    sizes: dict[str, int] = {}
    for batch in _batches(list(store.layers.values())):
        rows = maker.make(batch)
        facts = _facts(rows)
        sizes |= dict(facts.select("layer", "compressed_bytes").iter_rows())
        write_layers(catalog.folder, facts, rows)
    write_scan(catalog.folder, SCAN, _scan(store, sizes))
    return f"{len(store.images):,} images, {len(sizes):,} layers, {store.entries:,} entries"


def main() -> None:
    """Write the catalog and print what it has."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entries", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.folder.exists():
        sys.exit(f"{given.folder} exists already")
    started = time.perf_counter()
    made = write(given.folder, int(given.entries), given.seed)
    print(f"{made}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
