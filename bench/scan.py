"""Measure the speed of a scan beside a floor and a peer, in one run.

    python bench/scan.py ESTATE [--rounds N]

ESTATE is a folder with ``oci/`` (an image layout) and ``archives/`` (docker-archives of the same
images). Each round measures all of these once, so that a busy machine slows all of them down:

a      the floor, which every verified scan has to do: decompress the distinct blobs with isal, take
       SHA-256 of each blob and of its tar, and BLAKE3 of the tar as one stream, on all cores
b      ``dedupe scan oci/`` into an empty catalog
c      ``dedupe scan oci/`` again
d      dive over each archive, and ``dedupe scan archives/`` into an empty catalog
d1     dive and ``dedupe scan`` over each archive alone, into an empty catalog; the archive with the
       worst ratio is printed first
memory the largest PSS of all processes of b together
w      a scan and report of 50,000 files below 1,000 whiteouts, and the same without the whiteouts

It prints medians of seconds, and medians of the ratios of each round.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3
from isal import igzip

_CHUNK = 1 << 18


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("estate", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    archives = sorted((given.estate / "archives").glob("*.tar"))
    blobs = sorted(
        (path for path in (given.estate / "oci/blobs/sha256").iterdir() if _is_gzip(path)),
        key=lambda path: -path.stat().st_size,
    )
    print(f"{len(blobs)} blobs, {sum(path.stat().st_size for path in blobs):,} bytes")
    times: dict[str, list[float]] = {}

    def measure(name: str, run: Callable[[], object]) -> None:
        started = time.perf_counter()
        run()
        times.setdefault(name, []).append(time.perf_counter() - started)

    memory = 0
    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch) / "catalog"
        stacks = _whiteout_stacks(Path(scratch))
        for _ in range(given.rounds):
            measure("a floor", lambda: _floor(blobs))
            shutil.rmtree(catalog, ignore_errors=True)
            with _Memory() as watched:
                measure("b cold scan", lambda: _scan(catalog, given.estate / "oci"))
            memory = max(memory, watched.peak)
            measure("c scan again", lambda: _scan(catalog, given.estate / "oci"))
            shutil.rmtree(catalog, ignore_errors=True)
            measure("d scan archives", lambda: _scan(catalog, *archives))
            for archive in archives:
                measure(f"dive {archive.name}", partial(_dive, archive))
                shutil.rmtree(catalog, ignore_errors=True)
                measure(f"scan {archive.name}", partial(_scan, catalog, archive))
            for name, store in stacks.items():
                shutil.rmtree(catalog, ignore_errors=True)
                measure(f"w {name}", partial(_scan_and_report, catalog, store))
    times["d dive"] = [
        sum(times[f"dive {archive.name}"][n] for archive in archives) for n in range(given.rounds)
    ]
    for name in ("a floor", "b cold scan", "c scan again", "d dive", "d scan archives"):
        print(f"{name:16} {statistics.median(times[name]):8.3f} s")
    _ratio(times, "b cold scan", "a floor", "aim 1.4")
    _ratio(times, "c scan again", "b cold scan", "aim 0.1")
    _ratio(times, "d scan archives", "d dive", "aim 0.333")
    worst = max(
        archives,
        key=lambda one: (
            statistics.median(times[f"scan {one.name}"])
            / statistics.median(times[f"dive {one.name}"])
        ),
    )
    for archive in dict.fromkeys((worst, *archives)):
        _ratio(times, f"scan {archive.name}", f"dive {archive.name}", "aim 1.0")
    print(f"memory           {memory / 1e6:8.0f} MB of PSS, aim 600")
    _ratio(times, "w with whiteouts", "w without", "")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _floor(blobs: list[Path]) -> None:
    with ProcessPoolExecutor() as pool:
        list(pool.map(_floor_of, blobs))


def _floor_of(path: Path) -> None:
    tar, content = hashlib.sha256(), blake3()
    with path.open("rb") as file:
        blob = _Hashed(file)
        stream = igzip.open(blob, "rb")
        while data := stream.read(_CHUNK):
            tar.update(data)
            content.update(data)


class _Hashed:
    """A file whose bytes are hashed as isal reads them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        count = self._file.readinto(buffer)  # type: ignore[attr-defined]  # BinaryIO lacks it, files have it
        self._hash.update(buffer[:count])
        return count


def _scan(catalog: Path, *paths: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "dedupe", "scan", "-q", "--catalog", str(catalog), *map(str, paths)],
        check=True,
    )


def _scan_and_report(catalog: Path, store: Path) -> None:
    _scan(catalog, store)
    subprocess.run(
        [sys.executable, "-m", "dedupe", "report", "-f", "json", "--catalog", str(catalog)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _dive(archive: Path) -> None:
    # its check fails for wasteful images; only its time is measured
    subprocess.run(
        ["dive", "--source", "docker-archive", str(archive)],
        env={**os.environ, "CI": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


class _Memory:
    """Measures the largest PSS of this process's descendants while it is open."""

    def __init__(self) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, sum(map(_pss, _descendants(os.getpid()))))


def _descendants(process: int) -> list[int]:
    found, waiting = [], [process]
    while waiting:
        try:
            children = Path(f"/proc/{waiting[0]}/task/{waiting[0]}/children").read_text().split()
        except OSError:
            children = []
        waiting = [*waiting[1:], *map(int, children)]
        found += map(int, children)
    return found


def _pss(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _whiteout_stacks(scratch: Path) -> dict[str, Path]:
    """Layouts of 50,000 files in 1,000 folders, with and without a layer that deletes them all."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from builders import Image, directory, file, tar_of, whiteout, write_oci_layout

    folders = [f"d{number:04}" for number in range(1000)]
    base = tar_of(
        member
        for folder in folders
        for member in (
            directory(folder),
            *(file(f"{folder}/f{number:02}", b"x" * 20) for number in range(50)),
        )
    )
    deleting = tar_of(whiteout(folder) for folder in folders)
    keeping = tar_of(directory(f"e{number:04}") for number in range(1000))
    stacks = {"with whiteouts": deleting, "without": keeping}
    for name, upper in stacks.items():
        write_oci_layout(scratch / name, [Image([base, upper], names=["localhost/w:1"])])
    return {name: scratch / name for name in stacks}


def _ratio(times: dict[str, list[float]], ours: str, theirs: str, aim: str) -> None:
    ratios = [one / other for one, other in zip(times[ours], times[theirs], strict=True)]
    print(f"{ours} / {theirs}: {statistics.median(ratios):.3f} {aim}".rstrip())


if __name__ == "__main__":
    main()
