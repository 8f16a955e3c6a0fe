"""One audit, from the lock to the notice.

    state/lock              held alone while an audit runs; says who holds it
    state/history/<scan>.json  the summary of each audit whose scan is kept
    state/catalog/          unless another place is named

Each step leaves whole files by renames, in this order: layers, the scan, reports, the history. So
a kill at any moment leaves the history of the audits before, and nothing half-written; the next
audit finds the layers that were read.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dedupe.analysis import queries
from dedupe.analysis.amounts import moment
from dedupe.analysis.check import CheckResult, Verdict, check
from dedupe.audit.notice import notify
from dedupe.audit.outputs import write_reports
from dedupe.audit.settings import Audit
from dedupe.errors import Exit, LockedError, StoreError, reason_of
from dedupe.host.locks import exclusive_lock
from dedupe.host.writing import write_atomically
from dedupe.report.check import document
from dedupe.report.scanned import problem_lines
from dedupe.scan import ScanOutcome, scan
from dedupe.scan.interface import Progress
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog, scan_ids
from dedupe.store.retention import collect, expired, forget
from dedupe.store.session import Session

#: raised when a key of the summary changes its meaning or goes
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Audited:
    """How an audit ended."""

    outcome: ScanOutcome
    #: None where there was nothing to check
    checked: CheckResult | None
    #: reports that were not written, a command that failed
    faults: tuple[str, ...]
    exit_code: int


def audit(orders: Audit, progress: Progress) -> Audited:
    """Scan, check, write reports, forget what is too old, tell the command.

    Raises LockedError where another audit of this state folder runs.
    """
    with _writable(orders):
        (orders.state / "history").mkdir(parents=True, exist_ok=True)
    with exclusive_lock(orders.state / "lock", "another audit is under way"):
        return _audited(orders, progress)


def _audited(orders: Audit, progress: Progress) -> Audited:
    started = datetime.now(UTC)
    catalog = Catalog(orders.catalog)
    with catalog.writing():
        outcome = scan(
            discover(orders.sources, Selection(orders.platform, orders.images)),
            catalog,
            progress,
            workers=orders.jobs,
        )
    faults: list[str] = []
    summary: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "scan": outcome.scan_id or None,
        "started": started.isoformat(timespec="seconds"),
        **_counts(outcome),
    }
    checked = None
    if outcome.scan_id:
        session = Session(orders.catalog, outcome.scan_id)
        checked = check(session, orders.check)
        faults += write_reports(orders, session, checked)
        trend = next(row for row in session.rows(queries.trend()) if row["scan"] == outcome.scan_id)
        summary |= {
            "totals": session.rows(queries.totals())[0],
            "growth_bytes": trend["growth_bytes"],
            "check": document(checked),
        }
        faults += _retain(orders, outcome.scan_id)
    code = _exit_code(outcome, checked, faults)
    summary |= {
        "reports": {kind.value: str(path) for kind, path in orders.reports.items()},
        "faults": faults,
        "exit_code": code,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    if outcome.scan_id:
        with _writable(orders):
            write_atomically(orders.state / "history" / f"{outcome.scan_id}.json", text)
    if orders.notify and (fault := notify(orders.notify, text)):
        faults.append(fault)
        code = code or Exit.SKIPPED
    return Audited(outcome, checked, tuple(faults), code)


@contextlib.contextmanager
def _writable(orders: Audit) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        raise StoreError(f"state folder {orders.state}: {reason}", "state-unwritable") from error


def _counts(outcome: ScanOutcome) -> dict[str, Any]:
    return {
        "sources": outcome.sources,
        "images": outcome.images,
        "layers_read": outcome.layers_read,
        "layers_named": outcome.layers_named,
        "errors": outcome.errors,
        "problems": list(problem_lines(outcome)),
    }


def _exit_code(outcome: ScanOutcome, checked: CheckResult | None, faults: list[str]) -> int:
    """A rule that failed goes before what was skipped, nothing scanned before all else."""
    if checked is None or not outcome.images:
        return outcome.exit_code
    if checked.verdict is Verdict.FAILED:
        return Exit.RULES_FAILED
    return outcome.exit_code or (Exit.SKIPPED if faults else Exit.COMPLETE)


def _retain(orders: Audit, newest: str) -> Iterator[str]:
    """Forget scans that are too old, and their summaries; yields why rows could not go.

    The scan that the check compares with stays.
    """
    if orders.keep:
        before = moment(orders.keep, datetime.now(UTC).replace(tzinfo=None))
        for old in expired(orders.catalog, before):
            baseline = orders.check.baseline
            if old != newest and not (baseline and old.startswith(baseline)):
                forget(orders.catalog, old)
        # layers of a killed audit's scan go later than the scan: asked each time
        try:
            collect(orders.catalog)
        except LockedError as error:
            yield f"rows of old scans stay: {error.message}"
    kept = set(scan_ids(orders.catalog))
    for summary in (orders.state / "history").glob("*.json"):
        if summary.stem not in kept and not summary.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):
                summary.unlink()
