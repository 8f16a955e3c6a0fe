"""Measure the time, memory and size of each form of the report.

    python bench/report.py CATALOG

bench/synthetic.py makes a catalog; at 10^7 entries it has 5,600 images. For each form of the report
the seconds, the peak memory and the bytes are printed. The HTML page must be smaller than 10 MB, or
the exit code is 1. How the seconds grow with a catalog is what bench/scale.py measures.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_FORMS = ("terminal", "html", "markdown", "csv", "json", "sarif", "openmetrics")
_PAGE_BYTES = 10_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("catalog", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "report"
        sizes = {form: _measure(form, given.catalog, output) for form in _FORMS}
    if sizes["html"] > _PAGE_BYTES:
        sys.exit(f"the page has {sizes['html']:,} bytes, more than {_PAGE_BYTES:,}")


def _measure(form: str, folder: Path, output: Path) -> int:
    """Write one form; print time, memory and size, and return the size in bytes."""
    words = ("report", "--catalog", str(folder), "-f", form, "-o", str(output))
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "dedupe", *words])
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"report --format {form} failed")
    size = output.stat().st_size
    print(f"{form:12} {seconds:6.1f} s  {used.ru_maxrss / 1e6:5.2f} GB  {size / 1e6:7.2f} MB")
    return size


if __name__ == "__main__":
    main()
