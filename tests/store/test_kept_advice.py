"""Advice that is kept for the next scan that finds the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from builders import file, image, write_oci_layout
from helpers.commands import run
from helpers.scanning import scan_only

from dedupe.analysis.advice import advice
from dedupe.model.advice import GENERAL
from dedupe.store import kept_advice
from dedupe.store.kept_advice import KeptAdvice
from dedupe.store.session import Session

BASE = [file("base", b"1" * 4000)]
A = image(BASE, [file("a", b"2" * 300)], [file("a", b"3" * 300)], names=["r/a:1"])
B = image(BASE, [file("b", b"3" * 500)], names=["r/b:1"])


def test_a_scan_that_finds_the_same_has_the_same_advice(tmp_path: Path) -> None:
    """It is that of the first scan; a scan that finds another image has none yet."""
    store, catalog = tmp_path / "store", tmp_path / "catalog"
    write_oci_layout(store, [A])
    first = scan_only(catalog, store).scan_id
    kept = KeptAdvice(catalog, first)
    assert kept.find() is None
    advised = advice(Session(catalog, first))
    kept.keep(advised)
    again = scan_only(catalog, store).scan_id
    assert KeptAdvice(catalog, again).find() == advised
    write_oci_layout(store, [A, B])
    more = scan_only(catalog, store).scan_id
    assert KeptAdvice(catalog, more).find() is None


def test_advice_of_the_last_stores_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One catalog may have many stores, each scanned by itself."""
    monkeypatch.setattr(kept_advice, "_MOST_SCANS", 2)
    catalog = tmp_path / "catalog"
    kept = []
    for number in range(3):
        write_oci_layout(tmp_path / str(number), [image([file("f", b"%d" % number)])])
        kept.append(KeptAdvice(catalog, scan_only(catalog, tmp_path / str(number)).scan_id))
        kept[-1].keep([])
    assert [each.find() for each in kept] == [None, [], []]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"%s": 1}', '{"%s": [[["a"], "NONE"]]}', "[" * 9999]
)
def test_damaged_advice_is_made_anew(tmp_path: Path, text: str) -> None:
    """The file holds nothing that a scan could not find out again."""
    store, catalog = tmp_path / "store", tmp_path / "catalog"
    write_oci_layout(store, [A])
    kept = KeptAdvice(catalog, scan_only(catalog, store).scan_id)
    kept.keep(GENERAL)
    (digest,) = json.loads((catalog / "advice.json").read_text())
    (catalog / "advice.json").write_text(text.replace("%s", digest))
    assert kept.find() is None
    kept.keep(GENERAL)
    assert kept.find() == list(GENERAL)


def test_a_scan_of_what_is_known_loads_little(tmp_path: Path) -> None:
    """No database, no worker and no other kind of source: these take longer than the scan."""
    store, catalog = tmp_path / "store", tmp_path / "catalog"
    write_oci_layout(store, [A])
    run(catalog, "scan", str(store))
    program = (
        "import contextlib, sys; from dedupe.cli import app\n"
        "with contextlib.suppress(SystemExit): app(sys.argv[1:])\n"
        "print(*sys.modules)"
    )
    words = ["scan", "--catalog", str(catalog), str(store)]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert {"polars", "dedupe.sources.documents.layout"} <= loaded
    assert not loaded.intersection(
        {
            "duckdb",
            "dedupe.analysis.queries",
            "dedupe.layers.reader",
            "dedupe.scan.pool",
            "dedupe.sources.docker.store",
        }
    )
