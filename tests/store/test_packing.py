"""Files of layers are packed, and killed, read, damaged and replaced meanwhile; figures stay."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import Image, directory, file, tar_of, whiteout, write_oci_layout
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import Silence, scan_only

from dedupe.errors import LockedError, StoreError
from dedupe.host.locks import shared_lock
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store import layer_files, packing
from dedupe.store.catalog import LOCK, Catalog
from dedupe.store.current import Choice
from dedupe.store.layer_files import files_in
from dedupe.store.layer_views import show_entries
from dedupe.store.opening import connect
from dedupe.store.packing import pack
from dedupe.store.reading import readable
from dedupe.store.resources import close_connection
from dedupe.store.retention import collect, forget
from dedupe.store.session import Session
from dedupe.store.verify import verify

QUESTIONS = ("images", "totals", "findings", "shadowed_files", "problems", "duplicates", "layers")


def images(number: int) -> list[Image]:
    """Images of two layers; one layer has no entries."""
    found = []
    for each in range(number):
        base = tar_of(
            [directory("etc"), *(file(f"etc/{n}", f"{each}{n}".encode() * 9) for n in "abc")]
        )
        upper = tar_of([whiteout("etc/a"), file("etc/b", f"new {each}".encode())])
        found.append(Image([base, upper, tar_of([])], names=[f"r/i{each}:1"]))
    return found


def figures(catalog: Path) -> dict[str, Any]:
    """Answers and all entries."""
    session = Session(catalog)
    found: dict[str, Any] = {name: session.rows(name) for name in QUESTIONS}
    found["entries"] = session.ask("FROM entries ORDER BY layer, member").rows
    session.close()
    return found


def entries(catalog: Path) -> list[tuple[Any, ...]]:
    """All entries that count."""
    with readable(catalog):
        connection, _ = connect(catalog, Choice())
        show_entries(connection, catalog)
        rows = connection.execute("FROM entries ORDER BY layer, member").fetchall()
    close_connection(connection)
    return rows


def names(catalog: Path) -> list[str]:
    """Names of the files of layers and entries."""
    return sorted(path.name for table in ("layers", "entries") for path in files_in(catalog, table))


def flip(path: Path, at: int = 40) -> None:
    """Change a bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog of seven layers, each in files of its own."""
    write_oci_layout(tmp_path / "store", images(3))
    scan_only(tmp_path / "catalog", tmp_path / "store")
    return tmp_path / "catalog"


def rescan(catalog: Path, store: Path, *, rehash: bool = False) -> None:
    """Scan as the command does."""
    sink = Catalog(catalog)
    with sink.writing():
        scan_sources(
            discover([store], Selection()), sink, Silence(), places=[str(store)], rehash=rehash
        )
    sink.tidy()


def test_packed_layers_have_the_same_figures(catalog: Path) -> None:
    """Seven files of layers and six of entries become one each; packing again does nothing."""
    before = figures(catalog)
    packed = pack(catalog)
    assert (packed.dropped, packed.rows_files, packed.entries_files) == (0, 7, 6)
    assert len(names(catalog)) == 2
    assert figures(catalog) == before
    assert list(verify(catalog)) == []
    kept = names(catalog)
    assert pack(catalog) == packing.Packed(0, 0, 0, 0)
    assert names(catalog) == kept


def test_a_scan_packs_when_there_are_many_files(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before, and not while another scan is running."""
    rescan(catalog, tmp_path / "store")
    assert len(names(catalog)) == 13
    monkeypatch.setattr(packing, "MOST_FILES", 6)
    with shared_lock(catalog / LOCK):
        rescan(catalog, tmp_path / "store")
    assert len(names(catalog)) == 13
    rescan(catalog, tmp_path / "store")
    assert len(names(catalog)) == 2


def test_large_files_are_not_written_anew_for_small_ones(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full file stays, and files up to its size are put together."""
    monkeypatch.setattr(packing, "_PACK_BYTES", 1)
    pack(catalog)
    full = names(catalog)
    assert len(full) == 7
    write_oci_layout(tmp_path / "more", images(5))
    scan_only(catalog, tmp_path / "more")
    before = figures(catalog)
    pack(catalog)
    kept = [path.name for path in files_in(catalog, "entries")]
    assert len(set(kept) & set(full)) == 6
    assert figures(catalog) == before


def test_the_row_of_the_highest_number_counts(catalog: Path, tmp_path: Path) -> None:
    """Entries of other rows of the layer are not shown, packed or not."""
    before = figures(catalog)
    pack(catalog)
    # as a newer reader would: the same layers with other rows
    (layers,) = files_in(catalog, "layers")
    (entries,) = files_in(catalog, "entries")
    rows = pl.read_parquet(entries)
    layer = rows["layer"][0]
    for mode in (0o600, 0o640):
        written = layer_files.write_file(
            catalog / "entries",
            time.time_ns(),
            rows.filter(layer=layer).with_columns(mode=pl.lit(mode, pl.Int32)).write_parquet,
        )
        row = pl.read_parquet(layers).filter(layer=layer)
        layer_files.write_file(
            catalog / "layers",
            time.time_ns(),
            row.with_columns(entries_in=pl.lit([written.name])).write_parquet,
        )
    after = figures(catalog)
    assert len(after["entries"]) == len(before["entries"])
    assert {row[6] for row in after["entries"] if row[0] == layer} == {0o640}
    others = [row for row in before["entries"] if row[0] != layer]
    assert [row for row in after["entries"] if row[0] != layer] == others
    pack(catalog)
    assert len(files_in(catalog, "layers")) == 1
    assert sum(pl.read_parquet(path).height for path in files_in(catalog, "entries")) == len(
        after["entries"]
    )
    assert figures(catalog) == after


def test_a_catalog_without_layers_is_packed(tmp_path: Path) -> None:
    """Nothing is written, by gc or by an upgrade of a catalog of an older program."""
    (tmp_path / "empty").mkdir()
    scan_only(tmp_path / "catalog", tmp_path / "empty")
    for older in (False, True):
        assert pack(tmp_path / "catalog", older=older) == packing.Packed(0, 0, 0, 0)
    assert names(tmp_path / "catalog") == []


def test_a_clock_that_was_set_back_changes_no_order(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers rise above those that are there."""
    latest = max(path.name for path in files_in(catalog, "layers"))
    with monkeypatch.context() as patch:
        patch.setattr(layer_files.time, "time_ns", lambda: 7)
        write_oci_layout(tmp_path / "more", images(4))
        scan_only(catalog, tmp_path / "more")
    made = sorted(path.name for path in files_in(catalog, "layers"))
    assert made.index(latest) == 6
    assert len(made) == 9


@pytest.mark.parametrize("call", ["replace", "unlink"])
def test_packing_that_is_killed_changes_no_figure(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Before each rename and each removal; the next packing finishes the work."""
    monkeypatch.setattr(packing, "_PACK_BYTES", 1)
    write_oci_layout(tmp_path / "more", images(4))
    rescan(catalog, tmp_path / "more", rehash=True)
    expected = entries(catalog)
    real = getattr(Path, call)

    def deadly(left: int) -> Callable[..., Any]:
        def counted(path: Path, *words: Any, **options: Any) -> Any:
            nonlocal left
            if not path.name.startswith(".tmp-spill"):
                left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return real(path, *words, **options)

        return counted

    for moment in range(60):
        killed = tmp_path / f"killed{moment}"
        shutil.copytree(catalog, killed)
        with monkeypatch.context() as patch:
            patch.setattr(packing, "_PACK_BYTES", 64 << 20)
            patch.setattr(Path, call, deadly(moment))
            try:
                pack(killed)
            except KeyboardInterrupt:
                patch.undo()
                assert entries(killed) == expected
                assert list(verify(killed)) == []
            else:
                break
        monkeypatch.setattr(packing, "_PACK_BYTES", 64 << 20)
        pack(killed)
        assert len(names(killed)) == 2
        assert entries(killed) == expected
    assert moment >= 2


def test_files_stay_while_a_session_reads_them(catalog: Path) -> None:
    """A question that began before answers as if nothing had happened; then they are removed."""
    before = figures(catalog)
    session = Session(catalog)
    kept = set(names(catalog))
    pack(catalog)
    assert set(names(catalog)) > kept
    assert session.rows("images") == before["images"]
    assert session.ask("FROM entries ORDER BY layer, member").rows == before["entries"]
    # with the files of both, each row counts once
    assert figures(catalog) == before
    session.close()
    pack(catalog)
    assert len(names(catalog)) == 2
    assert figures(catalog) == before


def test_collecting_takes_layers_out_of_a_pack(catalog: Path, tmp_path: Path) -> None:
    """The rows of the others stay, and so do young ones."""
    pack(catalog)
    write_oci_layout(tmp_path / "other", images(1))
    other = scan_only(catalog, tmp_path / "other").scan_id
    first = min(path.name for path in (catalog / "scans").iterdir())
    forget(catalog, first)
    assert collect(catalog)[0] == 0
    for path in files_in(catalog, "layers"):
        os.utime(path, (1, 1))
    dropped, freed = collect(catalog)
    assert dropped == 4
    assert freed > 0
    found = figures(catalog)
    assert len(found["images"]) == 1
    assert len(found["entries"]) == 6
    forget(catalog, other)
    # a new file of old rows is not young
    assert collect(catalog)[0] == 3
    assert sum(pl.read_parquet(path).height for path in files_in(catalog, "layers")) == 0


@pytest.mark.parametrize("table", ["layers", "entries"])
def test_a_flipped_bit_is_found_wherever_it_is_read(
    catalog: Path, tmp_path: Path, table: str
) -> None:
    """No figure rests on it; it is not packed; and a scan with --rehash makes the catalog whole."""
    before = figures(catalog)
    pack(catalog)
    (path,) = files_in(catalog, table)
    size = path.stat().st_size
    flips = examples(100)
    for number in range(flips):
        broken = tmp_path / f"broken{number}"
        shutil.copytree(catalog, broken)
        flip(broken / table / path.name, size * number // flips)
        assert [found.path for found in verify(broken)] == [broken / table / path.name]
        with pytest.raises(StoreError, match=path.name) as caught:
            _all_read(broken)
        assert caught.value.code == "bad-catalog"
    rescan(broken, tmp_path / "store", rehash=True)
    after = figures(broken)
    assert list(verify(broken)) == []
    assert after["entries"] == before["entries"]
    assert after["images"] == before["images"]


def test_a_damaged_file_of_layers_costs_reading_them_again(catalog: Path, tmp_path: Path) -> None:
    """A scan without --rehash reads its layers; those of other places are said to be missing."""
    write_oci_layout(tmp_path / "other", [Image([tar_of([file("z", b"z")])], names=["z:1"])])
    scan_only(catalog, tmp_path / "other")
    pack(catalog)
    (path,) = files_in(catalog, "layers")
    flip(path)
    rescan(catalog, tmp_path / "store")
    with pytest.raises(StoreError, match=r"layer sha256:.*its rows are missing") as caught:
        Session(catalog)
    assert caught.value.code == "bad-catalog"
    rescan(catalog, tmp_path / "other")
    assert len(figures(catalog)["images"]) == 4


def test_a_layer_without_its_row_is_said(catalog: Path) -> None:
    """A file of layers that was deleted makes no figure smaller."""
    files_in(catalog, "layers")[0].unlink()
    with pytest.raises(StoreError, match="its rows are missing"):
        Session(catalog)


def test_packing_waits_for_no_scan(catalog: Path) -> None:
    """Collecting is refused while a scan runs."""
    with shared_lock(catalog / LOCK), pytest.raises(LockedError):
        collect(catalog)


def _all_read(catalog: Path) -> list[dict[str, Any]]:
    """Rows of a question that reads all entries."""
    session = Session(catalog)
    try:
        return session.rows("totals")
    finally:
        session.close()


def test_scans_reports_and_packing_at_once(catalog: Path, tmp_path: Path) -> None:
    """Two scans, two reports and one that collects: answers are those of an undisturbed catalog."""
    expected = figures(catalog)
    scan = ("scan", "--rehash", str(tmp_path / "store"))
    wanted = ("query", "SELECT layer, path, mode FROM entries ORDER BY ALL", "-f", "json")
    shown = ("shadowed", "-f", "json")
    before = {words: run(catalog, *words).stdout for words in (wanted, shown)}
    assert all(before.values())
    for _ in range(examples(12)):
        running = {
            words: subprocess.Popen(
                [sys.executable, "-m", "dedupe", *words, "--catalog", str(catalog)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for words in ((*scan, "-q"), scan, ("catalog", "gc"), wanted, shown)
        }
        for words, each in running.items():
            output, said = each.communicate()
            # a scan may be running
            assert each.returncode == 0 or (words[1:] == ("gc",) and each.returncode == 6), said
            assert output == before.get(words, output), words
    pack(catalog)
    assert list(verify(catalog)) == []
    assert figures(catalog)["entries"] == expected["entries"]
    assert len(names(catalog)) == 2
