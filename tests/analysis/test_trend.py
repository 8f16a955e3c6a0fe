"""Growth of stores over all scans of a catalog."""

import json
from pathlib import Path

from builders import file, image, write_oci_layout
from helpers.commands import run
from helpers.scanning import scan_only

from dedupe.store.session import Session


def test_growth_is_against_the_last_scan_of_the_same_sources(tmp_path: Path) -> None:
    """There is one row per scan; scans of other sources in between do not count."""
    store, other, catalog = tmp_path / "store", tmp_path / "other", tmp_path / "c"
    shared = [file("lib", b"L" * 3000)]
    images = [image(shared, names=["r/lib:1"])]
    write_oci_layout(store, images, "none")
    first = scan_only(catalog, store).scan_id
    write_oci_layout(other, [image([file("x", b"1" * 50_000)], names=["x:1"])], "none")
    between = scan_only(catalog, other).scan_id
    app = [file("app", b"A" * 700)]
    images += [
        image(shared, app, names=["r/app:1", "r/app:2", "r/lib:edge"]),
        image(shared, [file("app", b"B" * 40)], names=["r/app:3"]),
    ]
    write_oci_layout(store, images, "none")
    last = scan_only(catalog, store).scan_id
    session = Session(catalog)
    rows = {row["scan"]: row for row in session.rows("trend")}
    assert list(rows) == [first, between, last]
    assert [row["unpacked_bytes"] for row in rows.values()] == [3000, 50_000, 3740]
    assert [row["images"] for row in rows.values()] == [1, 1, 3]
    grown = rows[last]["stored_bytes"] - rows[first]["stored_bytes"]
    assert [row["growth_bytes"] for row in rows.values()] == [None, None, grown]
    found = [
        (row["scan"], row["repository"], row["images"], row["unpacked_bytes"], row["growth_bytes"])
        for row in session.rows("trend_repositories")
    ]
    assert found == [
        (first, "r/lib", 1, 3000, None),
        (between, "x", 1, 50_000, None),
        # a repository that the previous scan did not have grew by all its bytes
        (last, "r/app", 2, 3740, 3740),
        (last, "r/lib", 2, 3700, 700),
    ]
    shown = run(catalog, "trend", "-f", "json")
    assert [row["scan"] for row in json.loads(shown.stdout)] == [first, between, last]
    text = run(catalog, "trend", "--by", "repository").stdout
    assert text.splitlines()[0].split() == [
        *("finished", "repository", "images", "unpacked_bytes", "growth_bytes"),
        *("incomplete_images", "scan"),
    ]
