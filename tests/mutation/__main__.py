"""Runs the tests against mutants of the SQL: ``python -m mutation [FILE...]`` in ``tests``.

First each fast test runs once, to know which files it reads and how long it takes. A mutant is then
put in place of its file in a process of its own, in which the tests that read the file run until
one fails: that mutant is killed. Survivors are printed, and the exit code is 1 if there are any
that equivalent.toml does not list.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlglot.errors import ParseError

from dedupe.installed import queries_folder
from dedupe.store import sql
from mutation.sql_mutants import Mutant, mutants_of, queries_below, rewritten

_HERE = Path(__file__).parent
#: tests that need no other program and no images from elsewhere
_FAST = "not slow and not tools and not estate and not external"
_FOLDERS = ("queries", "analysis", "reorder")
_UNCHANGED = "unchanged"
#: tests of a file as the parser writes it
_TRIED = 12
#: file with the ID of the test that killed a mutant
_KILLER = "killer"


@dataclass(slots=True)
class _Reads:
    """What the tests read, as far as they read it in their own process."""

    #: ID of a test -> files
    files: dict[str, list[str]] = field(default_factory=dict)
    #: ID of a test -> how long it takes
    seconds: dict[str, float] = field(default_factory=dict)


class _Runner:
    """A plugin that runs the collected tests once per mutant instead of once."""

    def __init__(self, mutants: Sequence[Mutant], options: argparse.Namespace) -> None:
        self._mutants = mutants
        self._options = options
        self._known = set(_equivalent())
        #: how many mutants each test has killed: these tests run first
        self._kills: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.survivors: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = [item for item in session.items if isinstance(item, pytest.Function)]
        reads = self._reads(items)
        by_id = {item.nodeid: item for item in items}
        chosen: dict[str, list[pytest.Function]] = {}
        for mutant in self._mutants:
            if mutant.file not in chosen:
                chosen[mutant.file] = [by_id[name] for name in self._tests_of(mutant.file, reads)]
        running: dict[int, tuple[Mutant, Path, float]] = {}
        waiting = iter(self._mutants)
        while True:
            while len(running) < self._options.jobs:
                mutant = next(waiting, None)
                if mutant is None:
                    break
                folder = Path(tempfile.mkdtemp(prefix="mutant-"))
                tests = sorted(chosen[mutant.file], key=lambda test: -self._kills[test.nodeid])
                if mutant.name == _UNCHANGED:
                    tests = tests[:_TRIED]
                running[_start(mutant, folder, tests)] = (mutant, folder, time.time())
            if not running:
                return True
            self._collect(running)

    def _collect(self, running: dict[int, tuple[Mutant, Path, float]]) -> None:
        """Wait until a mutant's tests have ended, or took too long."""
        while True:
            for process, (mutant, folder, started) in list(running.items()):
                ended, status = os.waitpid(process, os.WNOHANG)
                late = time.time() - started > self._options.limit
                if not ended and late:
                    os.killpg(process, signal.SIGKILL)
                    os.waitpid(process, 0)
                if ended or late:
                    del running[process]
                    killer = folder / _KILLER
                    if killer.exists() and mutant.name != _UNCHANGED:
                        self._kills[killer.read_text()] += 1
                    shutil.rmtree(folder, ignore_errors=True)
                    self._count(mutant, "timeout" if not ended else _verdict(status))
                    return
            time.sleep(0.02)

    def _count(self, mutant: Mutant, verdict: str) -> None:
        if mutant.name == _UNCHANGED:
            if verdict != "survived":
                print(f"cannot be judged: {mutant.file} as the parser writes it fails", flush=True)
            return
        if verdict == "survived" and mutant.key in self._known:
            verdict = "equivalent"
        self.counts[verdict] += 1
        if verdict == "survived":
            self.survivors.append(mutant.key)
            print(f"survived: {mutant.key}", flush=True)
        done = sum(self.counts.values())
        if done % 20 == 0:
            print(f"{done} of {len(self._mutants)}: {dict(self.counts)}", flush=True)

    def _tests_of(self, file: str, reads: _Reads) -> list[str]:
        """Tests that read the file, the fastest first, up to the budget of time."""
        readers = [test for test, files in reads.files.items() if file in files]
        readers.sort(key=reads.seconds.__getitem__)
        total, chosen = 0.0, []
        for test in readers:
            total += reads.seconds[test]
            if total > self._options.budget and chosen:
                break
            chosen.append(test)
        return chosen

    def _reads(self, items: list[pytest.Function]) -> _Reads:
        """Run all tests once in a child; what it found is kept for the next run."""
        kept = Path(self._options.reads)
        if kept.exists():
            document = json.loads(kept.read_text())
            return _Reads(**document)
        process = os.fork()
        if process == 0:
            os.setpgid(0, 0)
            found = _Reads()
            for item in items:
                _record(item, found)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps({"files": found.files, "seconds": found.seconds}))
            os._exit(0)
        os.waitpid(process, 0)
        return _Reads(**json.loads(kept.read_text()))


def _record(item: pytest.Function, found: _Reads) -> None:
    """Run a test and note the files that it reads; a test that fails kills no mutant."""
    loaded: set[str] = set()
    load, started = sql.load_query, time.time()

    def noting(name: str) -> str:
        loaded.add(name)
        return load(name)

    from dedupe.store import session, views

    for module in (sql, session, views):
        module.load_query = noting  # type: ignore[attr-defined]  # for this test
    try:
        passed = _passes(item)
    finally:
        for module in (sql, session, views):
            module.load_query = load  # type: ignore[attr-defined]  # as it was
    if passed and loaded:
        found.files[item.nodeid] = sorted(_with_relations(loaded))
        found.seconds[item.nodeid] = time.time() - started


def _with_relations(loaded: set[str]) -> Iterator[str]:
    """These files, the macros, and the relations that the files read."""
    texts = {name: sql.load_query(name) for name in loaded if name != "macros"}
    read = set().union(*(sql.tables_read(text) for text in texts.values()))
    files = {path.stem.partition("_")[2]: f"relations/{path.stem}" for path in _relation_files()}
    for relation in sql.needed_relations(read):
        texts[files[relation]] = sql.relations()[relation]
    yield from texts
    yield "macros"


def _relation_files() -> list[Path]:
    return sorted((queries_folder() / "relations").glob("*.sql"))


def _passes(item: pytest.Function) -> bool:
    """Run one test, with its fixtures; whether it passed."""
    item.session._setupstate.teardown_exact(item)  # what another test set up
    reports = []
    item.funcargs = {}
    item._initrequest()  # as pytest does before a test
    for when in ("setup", "call", "teardown"):
        call = pytest.CallInfo.from_call(lambda when=when: _phase(item, when), when)
        reports.append(item.ihook.pytest_runtest_makereport(item=item, call=call))
        if call.excinfo is not None and when == "setup":
            break
    return all(report.passed for report in reports)


def _phase(item: pytest.Function, when: str) -> None:
    hook = getattr(item.ihook, f"pytest_runtest_{when}")
    if when == "teardown":
        hook(item=item, nextitem=item)
    else:
        hook(item=item)


def _start(mutant: Mutant, folder: Path, tests: list[pytest.Function]) -> int:
    """Run the tests with the mutant in a process of its own; returns its ID."""
    process = os.fork()
    if process:
        return process
    os.setpgid(0, 0)
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        queries = folder / "queries"
        shutil.copytree(queries_folder(), queries)
        (queries / f"{mutant.file}.sql").write_text(mutant.sql)
        sql.queries_folder = lambda: queries  # type: ignore[assignment]  # the mutant's
        sql.relations.cache_clear()
        for test in tests:
            if not _passes(test):
                (folder / _KILLER).write_text(test.nodeid)
                os._exit(1)
        os._exit(0)
    except BaseException:
        os._exit(1)


def _verdict(status: int) -> str:
    return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"


def _equivalent() -> Iterator[str]:
    """Keys of the mutants that no test can kill."""
    document = tomllib.loads((_HERE / "equivalent.toml").read_text())
    for each in document.get("mutant", []):
        yield f"{each['file']}: {each['name']}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", help="such as relations/29_visible (default: all)")
    parser.add_argument("--sample", type=int, default=0, help="only so many, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--budget", type=float, default=120, help="seconds of tests per mutant")
    parser.add_argument(
        "--limit", type=float, default=600, help="seconds until a mutant is stopped"
    )
    parser.add_argument("--reads", default="build/mutants/reads.json", help="what tests read")
    parser.add_argument("--list", action="store_true", help="print the mutants only")
    options = parser.parse_args()
    texts = queries_below(queries_folder())
    mutants: list[Mutant] = []
    for file, text in texts.items():
        if not options.files or file in options.files:
            try:
                mutants += mutants_of(file, text)
            except ParseError as error:
                print(f"cannot be parsed: {file}: {str(error).partition(chr(10))[0]}")
    if options.sample:
        mutants = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
    if options.list:
        print(*(mutant.key for mutant in mutants), sep="\n")
        return 0
    # the parser's own form of each file must pass, or its mutants would say nothing
    unchanged = [
        Mutant(file, _UNCHANGED, rewritten(texts[file]))
        for file in dict.fromkeys(mutant.file for mutant in mutants)
    ]
    runner = _Runner([*unchanged, *mutants], options)
    folders = [str(_HERE.parent / name) for name in _FOLDERS]
    pytest.main(
        ["-q", "-p", "no:cacheprovider", "-m", _FAST, *folders],
        plugins=[runner],
    )
    print(f"{len(mutants)} mutants of {len(unchanged)} files: {dict(runner.counts)}")
    return 1 if runner.survivors else 0


if __name__ == "__main__":
    sys.exit(main())
