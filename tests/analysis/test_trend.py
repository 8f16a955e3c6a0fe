"""Growth of stores over all scans of a catalog."""

import json
from pathlib import Path

from builders import file, image, write_oci_layout
from helpers.commands import run
from helpers.scanning import scan_only

from dedupe.store.session import Session


def test_growth_is_against_the_last_scan_of_the_same_sources(tmp_path: Path) -> None:
    """A row is about all sources until then; a source that is new does not count as growth."""
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
    assert [row["unpacked_bytes"] for row in rows.values()] == [3000, 53_000, 53_740]
    assert [row["images"] for row in rows.values()] == [1, 2, 4]
    assert [row["sources"] for row in rows.values()] == [1, 2, 2]
    assert [row["scanned"] for row in rows.values()] == [1, 1, 1]
    stored = {
        scan: Session(catalog, scan).rows("totals")[0]["stored_bytes"]
        for scan in (first, between, last)
    }
    assert rows[between]["stored_bytes"] == stored[first] + stored[between]
    grown = stored[last] - stored[first]
    assert grown > 0
    assert [row["growth_bytes"] for row in rows.values()] == [None, None, grown]
    found = [
        (row["scan"], row["repository"], row["images"], row["unpacked_bytes"], row["growth_bytes"])
        for row in session.rows("trend_repositories")
    ]
    assert found == [
        (first, "r/lib", 1, 3000, None),
        (between, "x", 1, 50_000, None),
        (between, "r/lib", 1, 3000, None),
        (last, "x", 1, 50_000, 0),
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
