"""Measure how long each command takes to its first byte and to its end.

    python bench/commands.py CATALOG [--times N]

Each command is started N times (5) as a user starts it. The table has medians of the seconds to its
end, which should be below 2 s, and to its first byte, which should be below 1 s. A command that
writes its answer at once has both at the same time.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

_END, _FIRST = 2.0, 1.0


def main() -> None:
    """Measure all commands and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    print("| command | seconds | to the first byte | |\n|---|---:|---:|---|")
    for words in _calls(_names(given.catalog)):
        timed = [_time(words, given.catalog) for _ in range(given.times)]
        first, end = median(each[0] for each in timed), median(each[1] for each in timed)
        remark = "" if end < _END and first < _FIRST else "slower than the aim"
        print(f"| dedupe {' '.join(words)} | {end:.2f} | {first:.2f} | {remark} |", flush=True)


def _names(catalog: Path) -> list[str]:
    """Return the names of the image with most layers and of the one with fewest."""
    answer = subprocess.run(
        [*_dedupe("images"), "--catalog", str(catalog), "--format", "json"],
        capture_output=True,
        check=True,
    ).stdout
    rows = sorted(json.loads(answer), key=lambda row: -row["layers"])
    return [rows[0]["name"], rows[-1]["name"]]


def _calls(names: list[str]) -> list[tuple[str, ...]]:
    one, other = names
    return [
        *((name,) for name in ("sources", "images", "layers", "tree", "shadowed", "findings")),
        *(("duplicates", "--by", by) for by in ("content", "folder", "cache", "extension", "size")),
        *(
            ("usage", "--by", by)
            for by in ("image", "repository", "namespace", "tag-series", "base", "layer")
        ),
        ("what-if", "--delete", one),
        ("what-if", "--free", "100MB"),
        *((name,) for name in ("positions", "bases", "twins", "containers", "trend")),
        ("twins", "--groups"),
        ("ls", one, "/etc"),
        ("find", one, "*.so*"),
        ("which", one, "/etc/passwd"),
        ("history", one),
        ("diff", one, other),
        ("reorder",),
        ("reorder", "--for", "both"),
        ("reorder", "relayer"),
        *(("report", "--format", form) for form in ("terminal", "html", "json", "markdown")),
    ]


def _dedupe(*words: str) -> list[str]:
    return [sys.executable, "-m", "dedupe", *words]


def _time(words: tuple[str, ...], catalog: Path) -> tuple[float, float]:
    """Return the seconds to the first byte and to the end."""
    start = time.perf_counter()
    with subprocess.Popen(
        [*_dedupe(*words), "--catalog", str(catalog)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as running:
        if running.stdout is None:
            raise AssertionError("no pipe")
        running.stdout.read(1)
        first = time.perf_counter() - start
        running.stdout.read()
    if running.returncode:
        raise SystemExit(f"dedupe {' '.join(words)} ended with {running.returncode}")
    return first, time.perf_counter() - start


if __name__ == "__main__":
    main()
