"""Measure every statement that one command runs: relations, questions and what makes the views.

    python bench/relations.py CATALOG COMMAND [ARGUMENT]...

COMMAND is one of ``dedupe``, as in ``bench/relations.py CATALOG report -f json``; what it prints is
thrown away. The table has one row per relation, question and other kind of statement, the slowest
first: seconds, seconds of CPU, rows, and the highest memory of the process while it ran. The rows
that are fetched count as part of their statement, and ``Python`` is the rest of the command.
"""

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dedupe.installed import queries_folder

_MADE = re.compile(r"\s*CREATE\s+(?:OR REPLACE\s+)?(?:TEMP\w*\s+)?(TABLE|VIEW)\s+(\w+)", re.I)
#: texts, numbers and file names: statements that differ in them alone are one kind
_VALUES = re.compile(r"'(?:[^']|'')*'|\b\d+\b")


@dataclass(slots=True)
class _Cost:
    name: str
    times: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    #: of the last time; None if it is not known
    rows: int | None = None
    peak_bytes: int = 0


class _Costs:
    """Adds up the cost of each kind of statement."""

    def __init__(self) -> None:
        self.all: dict[str, _Cost] = {}
        self._questions = {
            path.read_text(): str(path.relative_to(queries_folder()).with_suffix(""))
            for path in queries_folder().rglob("*.sql")
        }

    def name(self, sql: str) -> str:
        """A relation's or question's name, or the beginning of any other statement."""
        if sql in self._questions:
            return f"question {self._questions[sql]}"
        made = _MADE.match(sql)
        if made:
            return f"{made[1].lower()} {made[2]}"
        return " ".join(_VALUES.sub("?", sql[:2_000]).split())[:60]

    @contextlib.contextmanager
    def add(self, name: str) -> Iterator[_Cost]:
        """Measure the body."""
        cost = self.all.setdefault(name, _Cost(name))
        _forget_peak()
        started, cpu = time.perf_counter(), time.process_time()
        try:
            yield cost
        finally:
            cost.seconds += time.perf_counter() - started
            cost.cpu += time.process_time() - cpu
            cost.peak_bytes = max(cost.peak_bytes, _peak())


class _Connection:
    """A connection of DuckDB whose statements are measured."""

    def __init__(self, real: duckdb.DuckDBPyConnection, costs: _Costs) -> None:
        self._real = real
        self._costs = costs
        self._last = ""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._measured(found) if name.startswith("fetch") or name == "pl" else found

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def execute(self, sql: str, *values: object) -> "_Connection":
        """Run a statement; its rows are counted if it makes a table."""
        self._last = self._costs.name(sql)
        with self._costs.add(self._last) as cost:
            cost.times += 1
            self._real.execute(sql, *values)
        kind, _, name = self._last.partition(" ")
        if kind == "table":
            row = self._real.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608  # of us
            cost.rows = row[0] if row else None
        return self

    def cursor(self) -> "_Connection":
        """Measure what other threads run, too."""
        return _Connection(self._real.cursor(), self._costs)

    def _measured(self, fetch: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any) -> Any:
            with self._costs.add(self._last) as cost:
                rows = fetch(*given)
            cost.rows = len(rows) if hasattr(rows, "__len__") else cost.rows
            return rows

        return measured


def _forget_peak() -> None:
    # 5 resets the highest memory of a process: proc(5), clear_refs
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def measure(catalog: Path, words: list[str]) -> str:
    """Run the command in this process and return the table."""
    from dedupe.cli.app import app

    costs = _Costs()
    connect = duckdb.connect
    # mypy: a measured connection is not of DuckDB's type, it only passes calls on to one
    duckdb.connect = lambda *given, **named: _Connection(connect(*given, **named), costs)  # type: ignore[assignment]
    started, cpu = time.perf_counter(), time.process_time()
    status: object = 0
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            app([*words, "--catalog", str(catalog)], standalone_mode=False)
    except SystemExit as ending:
        status = ending.code
    finally:
        duckdb.connect = connect
    total = _Cost("all", 1, time.perf_counter() - started, time.process_time() - cpu, None, _peak())
    if status:
        sys.exit(f"dedupe {' '.join(words)} ended with {status}")
    rest = _Cost("Python", 1)
    rest.seconds = total.seconds - sum(each.seconds for each in costs.all.values())
    rest.cpu = total.cpu - sum(each.cpu for each in costs.all.values())
    total.peak_bytes = max(each.peak_bytes for each in (total, *costs.all.values()))
    slowest = sorted((*costs.all.values(), rest), key=lambda each: -each.seconds)
    return "\n".join(map(_line, (*slowest, total)))


def _line(cost: _Cost) -> str:
    rows = "" if cost.rows is None else f"{cost.rows:,}"
    times = "" if cost.times == 1 else f"x{cost.times}"
    peak = f"{cost.peak_bytes / 1e6:,.0f} MB" if cost.peak_bytes else ""
    return (
        f"{cost.seconds:8.2f} s {cost.cpu:8.2f} s CPU {rows:>13} rows {peak:>9}  "
        f"{cost.name} {times}"
    ).rstrip()


def main() -> None:
    """Measure and print."""
    if len(sys.argv) < 3:  # the catalog and the command
        sys.exit(__doc__)
    print(measure(Path(sys.argv[1]), sys.argv[2:]))


if __name__ == "__main__":
    main()
