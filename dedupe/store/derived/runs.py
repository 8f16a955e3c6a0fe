"""Files of derived rows: ``derived/<group>-<run>/`` with one Parquet file per table.

A run is written beside its place and renamed into it, and never changed. ``run.json`` has the
version of the rules that made its rows, the size and the digest of each file, and the runs whose
rows it has taken over. What it says is true or the run does not count: rows that are missing are
made again, so that any of these folders can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.host.files import read_below
from dedupe.host.writing import TEMPORARY
from dedupe.model.tables import DERIVED_TABLES
from dedupe.store.checksums import digest_of
from dedupe.store.derived.groups import GROUPS

#: folder of a catalog
DERIVED = "derived"
_FACTS = "run.json"
_MOST_BYTES = 1 << 20
#: readers may still read the files of runs that were taken over more recently
_GRACE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Run:
    """A folder of derived rows of one group."""

    path: Path
    rules: str
    #: table -> size and BLAKE3 digest of its file; tables without rows have none
    files: dict[str, tuple[int, str]]
    #: names of runs whose rows are in this one
    replaced: frozenset[str]
    #: of a group whose runs depend on each other, the names of all runs that it was made beside
    follows: frozenset[str] = frozenset()

    def file(self, table: str) -> Path:
        """Path of the file of a table."""
        return self.path / f"{table}.parquet"


def valid_runs(folder: Path, group: str, rules: str) -> list[Run]:
    """Runs of a group that were made by these rules and are whole, the oldest first.

    Runs that others have taken over, and damaged ones as far as sizes show it, are left out; of a
    group whose runs depend on each other also those that were made beside other runs than the valid
    ones before them.
    """
    runs = [run for run in all_runs(folder, group) if run.rules == rules and _is_whole(run)]
    replaced = frozenset[str]().union(*(run.replaced for run in runs))
    left = [run for run in runs if run.path.name not in replaced]
    return _in_sequence(left) if GROUPS[group].is_sequence else left


def keeps_any(folder: Path) -> bool:
    """Whether the catalog has a run of any group and rules."""
    try:
        with os.scandir(folder / DERIVED) as entries:
            return any(not entry.name.startswith(".") for entry in entries)
    except OSError:
        return False


def all_runs(folder: Path, group: str | None = None) -> list[Run]:
    """Runs with readable facts, the oldest first."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder / DERIVED) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.name.startswith("."):
                continue
            if group is not None and not entry.name.startswith(f"{group}-"):
                continue
            run = _read(Path(entry.path))
            if run is not None:
                found.append(run)
    return found


def write_run(
    folder: Path,
    group: str,
    rules: str,
    write: Callable[[str, Path], int],
    replaced: Sequence[str] = (),
    follows: Sequence[str] = (),
) -> Run:
    """Make a run of the tables that ``write`` writes; it returns the number of rows of each.

    ``replaced`` names runs that it takes over, ``follows`` those that its rows depend on. Raises
    OSError if the folder cannot be written.
    """
    name = f"{group}-{time.time_ns():020d}-{secrets.token_hex(4)}"
    derived = folder / DERIVED
    derived.mkdir(exist_ok=True)
    made = derived / f"{TEMPORARY}{name}"
    made.mkdir()
    try:
        files = {}
        for table in DERIVED_TABLES[group]:
            file = made / f"{table}.parquet"
            if write(table, file):
                files[table] = (file.stat().st_size, digest_of(file))
            else:
                file.unlink(missing_ok=True)
        named = {"replaced": list(replaced), "follows": list(follows)}
        facts = {"rules": rules, "files": files, **named}
        (made / _FACTS).write_text(json.dumps(facts, indent=2) + "\n")
        made.rename(derived / name)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return Run(derived / name, rules, files, frozenset(replaced), frozenset(follows))


def sweep(folder: Path, group: str, rules: str) -> None:
    """Remove runs of a group that were taken over, made by other rules, or not finished.

    The lock of derived rows must be held. What was taken over less than an hour ago stays, since a
    report may be reading it.
    """
    kept = valid_runs(folder, group, rules)
    named = {run.path.name for run in kept}
    oldest = time.time() - _GRACE_SECONDS
    late = {name for run in kept if _changed(run.path) > oldest for name in run.replaced}
    with contextlib.suppress(OSError), os.scandir(folder / DERIVED) as entries:
        for entry in entries:
            name = entry.name.removeprefix(TEMPORARY)
            if not name.startswith(f"{group}-") or name in named or name in late:
                continue
            if _changed(Path(entry.path)) < oldest:
                shutil.rmtree(entry.path, ignore_errors=True)


def damaged_files(folder: Path) -> Iterator[tuple[Run, Path]]:
    """Each file of a run whose content is not what was written, or that cannot be read."""
    for run in all_runs(folder):
        for table, (_, digest) in run.files.items():
            file = run.file(table)
            try:
                is_whole = digest_of(file) == digest
            except OSError:
                is_whole = False
            if not is_whole:
                yield run, file


def _read(path: Path) -> Run | None:
    try:
        facts = json.loads(read_below(path, (_FACTS,), _MOST_BYTES))
        files = {
            str(table): (int(size), str(digest)) for table, (size, digest) in facts["files"].items()
        }
        replaced, follows = (
            frozenset(map(str, facts.get(name, ()))) for name in ("replaced", "follows")
        )
        return Run(path, str(facts["rules"]), files, replaced, follows)
    except (SourceError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _in_sequence(runs: Sequence[Run]) -> list[Run]:
    """Runs of which each was made beside exactly those before it."""
    chosen: list[Run] = []
    for run in runs:
        if run.follows == {each.path.name for each in chosen}:
            chosen.append(run)
    return chosen


def _is_whole(run: Run) -> bool:
    """Whether every file is there and has the size that was written."""
    try:
        return all(
            run.file(table).lstat().st_size == size for table, (size, _) in run.files.items()
        )
    except OSError:
        return False


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0
