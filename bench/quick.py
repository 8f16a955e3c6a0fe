"""Measure how long a quick scan takes, beside ``du`` over the same root, in one run.

    python bench/quick.py ROOT [--rounds N] [--cold]

Each round measures both once, in turn:

du     ``du -sx ROOT``
quick  ``dedupe scan --quick ROOT`` into an empty catalog

``--cold`` empties the kernel's caches before each of them, which takes root. It prints medians of
seconds and of processor time, medians of the ratios of each round, and the load of the machine.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {"du": [], "quick": []}
    processor: dict[str, list[float]] = {"du": [], "quick": []}
    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch) / "catalog"
        commands = {
            "du": ["du", "-sx", str(given.root)],
            "quick": [
                *(sys.executable, "-m", "dedupe", "scan", "--quick", "-q"),
                *("--catalog", str(catalog), str(given.root)),
            ],
        }
        for _ in range(given.rounds):
            for name, command in commands.items():
                shutil.rmtree(catalog, ignore_errors=True)
                if given.cold:
                    _empty_caches()
                wall, used = _measured(command)
                seconds[name].append(wall)
                processor[name].append(used)
    for name in commands:
        print(
            f"{name:6} {statistics.median(seconds[name]):7.3f} s, "
            f"{statistics.median(processor[name]):7.3f} s of processors"
        )
    for what, taken in (("seconds", seconds), ("processor time", processor)):
        ratios = [a / b for a, b in zip(taken["quick"], taken["du"], strict=True)]
        print(f"quick / du, {what}: {statistics.median(ratios):.2f} (aim for seconds: 2)")
    print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def _measured(command: list[str]) -> tuple[float, float]:
    """Seconds, and processor time with that of its child processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used


def _empty_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


if __name__ == "__main__":
    main()
