"""Measure how fast an unpacked store is read in place, beside a floor and two peers, in one run.

    python bench/storage.py ROOT [--rounds N]

ROOT is a containers/storage root. Each round measures all of these once:

f      the floor: ``b3sum`` over the files of all layers' folders, on all cores
s      ``dedupe scan ROOT`` into an empty catalog: every tar is made again, its SHA-256 is compared
       with its diff ID, and every file is hashed
again  ``dedupe scan ROOT`` once more
jdupes, rdfind   search for equal files in the same folders, if they are installed
df     ``podman system df -v``, if it is installed

It prints medians of seconds, and medians of the ratios of each round.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    folders = sorted(str(path) for path in given.root.glob("overlay/*/diff"))
    times: dict[str, list[float]] = {}

    def measure(name: str, run: Callable[[], object]) -> None:
        started = time.perf_counter()
        run()
        times.setdefault(name, []).append(time.perf_counter() - started)

    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch) / "catalog"
        for _ in range(given.rounds):
            if shutil.which("b3sum"):
                measure("f b3sum", lambda: _b3sum(folders))
            shutil.rmtree(catalog, ignore_errors=True)
            measure("s scan", lambda: _scan(catalog, given.root))
            measure("again", lambda: _scan(catalog, given.root))
            if shutil.which("jdupes"):
                measure("jdupes", lambda: _quiet("jdupes", "-r", "-q", *folders))
            if shutil.which("rdfind"):
                measure("rdfind", lambda: _rdfind(folders, Path(scratch)))
            if shutil.which("podman"):
                measure("podman df", lambda: _podman(given.root, Path(scratch)))
    for name, taken in times.items():
        print(f"{name:10} {statistics.median(taken):8.3f} s")
    for other in times:
        if other != "s scan":
            ratios = [a / b for a, b in zip(times["s scan"], times[other], strict=True)]
            aim = ", aim 1.5" if other == "f b3sum" else ""
            print(f"s scan / {other}: {statistics.median(ratios):.3f}{aim}")


def _b3sum(folders: list[str]) -> None:
    names = subprocess.run(
        ["find", *folders, "-type", "f", "-print0"], check=True, capture_output=True
    ).stdout
    subprocess.run(
        ["xargs", "-0", "-n", "2000", "-P", "2", "b3sum", "--num-threads", "1"],
        input=names,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _scan(catalog: Path, root: Path) -> None:
    _quiet(sys.executable, "-m", "dedupe", "scan", "-q", "--catalog", str(catalog), str(root))


def _rdfind(folders: list[str], scratch: Path) -> None:
    _quiet("rdfind", "-makeresultsfile", "true", "-outputname", str(scratch / "found"), *folders)


def _podman(root: Path, scratch: Path) -> None:
    _quiet(
        "podman",
        *("--root", str(root), "--runroot", str(scratch / "run"), "--storage-driver", "overlay"),
        *("system", "df", "-v"),
    )


def _quiet(*words: str) -> None:
    subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
