"""Measure what questions cost as a catalog grows, in seconds and memory.

    python bench/scale.py FOLDER [--entries N]... [--only WORD]... [--results FILE] [--page FILE]

Catalogs of 10^5, 10^6 and 10^7 entries, or of each N, are made below FOLDER by bench/synthetic.py
unless they are there. For each command the table has

cold     seconds once the catalog's files have left the page cache
warm     seconds of the next run
memory   the highest resident memory of a process of the cold run
growth   the exponent: CPU seconds of warm runs, which other work on the machine changes least, grow
         as entries to the power of it

For ``nothing derived yet`` the derived rows are deleted before each run, and ``one image more``
scans an image of one layer into a copy of the catalog and then reports. A command that fails has
its exit code instead. Below the table are the commands that were not measured. ``--results``
appends the run to a file, with CPU seconds. ``--page`` puts the table between the marks of
docs/scale.md, and a plot of the warm seconds beside it.
"""

import argparse
import datetime as dt
import hashlib
import io
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from plot import write_plot

from dedupe import __version__

#: marks of the table in docs/scale.md
_BEGIN, _END = "<!-- begin of bench/scale.py -->", "<!-- end of bench/scale.py -->"
_SIZES = (100_000, 1_000_000, 10_000_000)
_IMAGES = [f"registry.example.com/team0/service0:1.{tag}.0" for tag in range(2)]
_REPORT = ("report", "-f", "json")
_UNDERIVED = "report -f json, nothing derived yet"
_MORE = "one image more: scan and report -f json"
#: name -> command; all of them need derived rows, and find them
_COMMANDS: dict[str, tuple[str, ...]] = {
    "open (query)": ("query", "SELECT count(*) FROM layers"),
    **{" ".join(words): words for words in (_REPORT, ("images",), ("findings",), ("usage",))},
    **{name: (name,) for name in ("tree", "layers", "duplicates")},
    "ls IMAGE PATH": ("ls", _IMAGES[0], "/usr/lib"),
    "which IMAGE PATH": ("which", _IMAGES[0], "/srv/app/file0.py"),
    "history IMAGE": ("history", _IMAGES[0]),
    "diff IMAGE IMAGE": ("diff", *_IMAGES),
    "reorder": ("reorder",),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one or several processes took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    #: 0, or the exit code of the first that failed
    code: int

    def __add__(self, other: "Run") -> "Run":
        return Run(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_bytes, other.peak_bytes),
            self.code or other.code,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A command on one catalog."""

    command: str
    entries: int
    cold: Run
    warm: Run


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes per entry of a catalog."""

    entries: int
    read_bytes: float
    derived_bytes: float


def main() -> None:
    """Make the catalogs, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entries", type=float, action="append")
    parser.add_argument("--only", action="append", help="measure commands with this word")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    measured: list[Measured] = []
    stored: list[Stored] = []
    for size in given.entries or _SIZES:
        catalog = _catalog(given.folder, int(size))
        entries = _entries(catalog)
        for each in measure(catalog, entries, given.only or [""]):
            print(_progress(each), file=sys.stderr, flush=True)
            measured.append(each)
        stored.append(_stored(catalog, entries))
    table = to_table(measured, stored)
    print(table)
    if given.results:
        with given.results.open("a") as file:
            file.write(_record(table, measured))
    if given.page:
        _write_page(given.page, table, measured)


def _write_page(page: Path, table: str, measured: Sequence[Measured]) -> None:
    """Replace the table of a page, and the plot beside it."""
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    shown = f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d}, {_machine()}.\n\n{table}"
    page.write_text(f"{before}{_BEGIN}\n\n{shown}\n\n{_END}{after}")
    series: dict[str, list[tuple[float, float]]] = {}
    for each in measured:
        if not each.warm.code:
            series.setdefault(each.command, []).append((each.entries, each.warm.seconds))
    page.with_suffix(".svg").write_text(write_plot(series, "entries", "seconds, warm"))


def measure(catalog: Path, entries: int, only: Sequence[str]) -> Iterator[Measured]:
    """Measure the commands that have one of these words."""

    def is_wanted(name: str) -> bool:
        return any(word in name for word in only)

    def underived() -> Run:
        shutil.rmtree(catalog / "derived", ignore_errors=True)
        return _dedupe(catalog, *_REPORT)

    # once they are there, nothing deletes them any more
    if is_wanted(_UNDERIVED):
        yield _both(_UNDERIVED, entries, catalog, underived)
    else:
        _dedupe(catalog, *_REPORT)
    for name, words in _COMMANDS.items():
        if is_wanted(name):
            yield _both(name, entries, catalog, partial(_dedupe, catalog, *words))
    if is_wanted(_MORE):
        with tempfile.TemporaryDirectory(dir=catalog.parent) as scratch:
            # files of a catalog are replaced and never changed
            copy = Path(shutil.copytree(catalog, f"{scratch}/catalog", copy_function=os.link))
            layouts = iter([Path(scratch) / "first", Path(scratch) / "second"])
            yield _both(_MORE, entries, copy, lambda: _one_more(copy, next(layouts)))


def _both(name: str, entries: int, catalog: Path, run: Callable[[], Run]) -> Measured:
    os.sync()
    for path in catalog.rglob("*"):
        if path.is_file():
            _forget(path)
    return Measured(name, entries, run(), run())


def _forget(path: Path) -> None:
    """Take a file out of the page cache; other files, those of programs too, stay in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _dedupe(catalog: Path, *words: str) -> Run:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dedupe", *words, "--catalog", str(catalog)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None  # noqa: S101  # a pipe was asked for
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    if code:
        print(f"dedupe {' '.join(words)}: {errors.strip()}", file=sys.stderr)
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, code)


def _one_more(catalog: Path, layout: Path) -> Run:
    _write_layout(layout)
    return _dedupe(catalog, "scan", "-q", str(layout)) + _dedupe(catalog, *_REPORT)


def _write_layout(layout: Path) -> None:
    """Write an image of one layer of 200 files, which differ from those of other layouts."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for number in range(200):
            content = f"{layout.name} {number}\n".encode() * 100
            member = tarfile.TarInfo(f"srv/more/file{number}.py")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    diff_id, size = _blob(layout, made.getvalue())
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = _blob_json(layout, {"os": "linux", "architecture": "amd64", "rootfs": rootfs})
    prefix = "application/vnd.oci.image"
    layer = {"mediaType": f"{prefix}.layer.v1.tar", "digest": diff_id, "size": size}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{prefix}.manifest.v1+json",
        "config": {"mediaType": f"{prefix}.config.v1+json", **config},
        "layers": [layer],
    }
    names = {"annotations": {"org.opencontainers.image.ref.name": layout.name}}
    described = {"mediaType": manifest["mediaType"], **_blob_json(layout, manifest), **names}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _blob_json(layout: Path, document: object) -> dict[str, object]:
    digest, size = _blob(layout, json.dumps(document).encode())
    return {"digest": digest, "size": size}


def _blob(layout: Path, data: bytes) -> tuple[str, int]:
    name = hashlib.sha256(data).hexdigest()
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / name).write_bytes(data)
    return f"sha256:{name}", len(data)


def _catalog(folder: Path, entries: int) -> Path:
    """The catalog of so many entries, which is made if it is not there."""
    digits = str(entries)
    # 1e6 for 1000000
    name = f"1e{len(digits) - 1}" if digits.strip("0") == "1" else digits
    catalog = folder / name
    if not catalog.exists():
        # in a process of its own, whose memory is not ours
        making = catalog.with_name(f"making-{catalog.name}")
        shutil.rmtree(making, ignore_errors=True)
        script = Path(__file__).with_name("synthetic.py")
        words = [sys.executable, str(script), str(making), "--entries", str(entries)]
        made = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(made, end="", file=sys.stderr)
        making.rename(catalog)
    return catalog


def _entries(catalog: Path) -> int:
    text = "SELECT sum(entries) AS entries FROM layers"
    words = [sys.executable, "-m", "dedupe", "query", "-f", "json", text]
    done = subprocess.run(
        [*words, "--catalog", str(catalog)], check=True, capture_output=True, text=True
    )
    return int(json.loads(done.stdout)[0]["entries"])


def _stored(catalog: Path, entries: int) -> Stored:
    def size(folder: Path) -> int:
        return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())

    derived = size(catalog / "derived")
    return Stored(entries, (size(catalog) - derived) / entries, derived / entries)


def growth(points: Iterable[tuple[float, float]]) -> float | None:
    """The exponent of a power law through these points, by least squares; None for fewer than 2."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    if len(logs) < 2:  # two points make a line
        return None
    middle = sum(x for x, _ in logs) / len(logs)
    height = sum(y for _, y in logs) / len(logs)
    return sum((x - middle) * (y - height) for x, y in logs) / sum(
        (x - middle) ** 2 for x, _ in logs
    )


def to_table(measured: Sequence[Measured], stored: Sequence[Stored]) -> str:
    """The measurements as a Markdown table, and a line about the size of the catalogs."""
    sizes = [each.entries for each in stored]
    head = [f"{size:,}: cold | warm | memory" for size in sizes]
    lines = [f"| command | {' | '.join(head)} | growth |", f"|---|{'---:|' * (3 * len(sizes) + 1)}"]
    for command in dict.fromkeys(each.command for each in measured):
        found = {each.entries: each for each in measured if each.command == command}
        cells = [cell for size in sizes for cell in _cells(found.get(size))]
        whole = [each for each in found.values() if not each.warm.code]
        exponent = growth((each.entries, each.warm.cpu_seconds) for each in whole)
        cells.append("" if exponent is None else f"{exponent:.2f}")
        lines.append(f"| {command} | {' | '.join(cells)} |")
    measured_names = {each.command for each in measured}
    left_out = [name for name in (_UNDERIVED, *_COMMANDS, _MORE) if name not in measured_names]
    bytes_each = ", ".join(
        f"{each.read_bytes:.0f} + {each.derived_bytes:.0f} at {each.entries:,}" for each in stored
    )
    lines += ["", f"Bytes per entry, as read and derived: {bytes_each}."]
    if left_out:
        lines += ["", f"Not measured: {'; '.join(left_out)}."]
    return "\n".join(lines)


def _cells(measured: Measured | None) -> list[str]:
    if measured is None:
        return ["", "", ""]
    cold, warm = measured.cold, measured.warm
    return [_seconds(cold), _seconds(warm), f"{cold.peak_bytes / 1e6:,.0f} MB"]


def _seconds(run: Run) -> str:
    return f"exit {run.code}" if run.code else f"{run.seconds:.2f} s"


def _progress(each: Measured) -> str:
    return f"{each.entries:>11,} {_seconds(each.cold):>9} {_seconds(each.warm):>9} {each.command}"


def _record(table: str, measured: Sequence[Measured]) -> str:
    """The run with its command, versions and machine, and CPU seconds."""
    cpu = [
        f"{each.entries:>11,} {each.cold.cpu_seconds:8.2f} {each.warm.cpu_seconds:8.2f}  "
        f"{each.command}"
        for each in measured
    ]
    return "\n".join(
        [
            f"## {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
            f"command: python bench/scale.py {' '.join(sys.argv[1:])}",
            f"{_machine()}, load {os.getloadavg()[0]:.1f} at the end",
            "",
            table,
            "",
            "CPU seconds, of the cold and of the warm run:",
            *cpu,
            "",
            "",
        ]
    )


def _machine() -> str:
    """Versions and machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"dedupe {__version__} ({_commit()}), Python {platform.python_version()}, DuckDB "
        f"{version('duckdb')}, polars {version('polars')}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} CPUs, {memory / 1e9:.0f} GB"
    )


def _commit() -> str:
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "no commit"


if __name__ == "__main__":
    main()
