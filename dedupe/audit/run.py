"""One audit, from taking the lock to starting the operator's command.

    state/lock                 locked while an audit runs; names the process
    state/history/<scan>.json  the summary of each audit whose scan is kept
    state/catalog/             the catalog, unless the settings name another place

Each step writes whole files by renames, in this order: layers, the scan, reports, the history. So
an audit that is killed leaves the history of earlier audits and no half-written file, and the next
audit reuses the layers that it read.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dedupe.analysis import queries
from dedupe.analysis.check import CheckResult, check
from dedupe.audit.notify import notify
from dedupe.audit.outputs import write_reports
from dedupe.audit.settings import AuditSettings
from dedupe.errors import (
    Exit,
    LayerError,
    LockedError,
    ResourceError,
    SourceError,
    StoreError,
    reason_of,
)
from dedupe.host.locks import exclusive_lock
from dedupe.host.places import absolute_place, place_text
from dedupe.host.writing import write_atomically
from dedupe.model.amounts import moment
from dedupe.model.outcome import ScanOutcome
from dedupe.report.check import document
from dedupe.report.scan import problem_lines
from dedupe.report.text import json_document
from dedupe.scan import scan_sources
from dedupe.scan.interface import Progress
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.retention import collect, expired, forget, needed_scans
from dedupe.store.session import Session
from dedupe.store.views import scan_ids

#: raised when a key of the summary changes its meaning or is removed
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class AuditResult:
    """How an audit ended."""

    outcome: ScanOutcome
    #: None if there was nothing to check
    checked: CheckResult | None
    #: reports that were not written, rows that were not removed, a command that failed
    faults: tuple[str, ...]
    exit_code: int


def audit(settings: AuditSettings, progress: Progress) -> AuditResult:
    """Scan, check, write reports, remove old scans, start the operator's command.

    Raises LockedError if another audit of this state folder is running.
    """
    with _writable(settings):
        (settings.state / "history").mkdir(parents=True, exist_ok=True)
    with exclusive_lock(settings.state / "lock", "another audit is under way"):
        return _audit(settings, progress)


def _audit(settings: AuditSettings, progress: Progress) -> AuditResult:
    started = datetime.now(UTC)
    catalog = Catalog(settings.catalog)
    with catalog.writing():
        outcome = scan_sources(
            discover(
                settings.sources,
                Selection(settings.platform, settings.images),
                settings.also,
                settings.blobs,
            ),
            catalog,
            progress,
            places=[place_text(absolute_place(place)) for place in settings.sources],
            workers=settings.jobs,
        )
    # what cannot be packed can be read all the same
    with contextlib.suppress(StoreError, ResourceError):
        catalog.tidy()
    faults: list[str] = []
    summary: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "scan": outcome.scan_id or None,
        "started": started.isoformat(timespec="seconds"),
        **_counts(outcome),
    }
    checked = None
    if outcome.scan_id:
        session = Session(settings.catalog)
        checked = check(session, settings.check)
        # a report of an audit that read something says more than one of what is stale
        if _exit_code(outcome, checked, []) not in (SourceError.exit_code, LayerError.exit_code):
            faults += write_reports(settings, session, checked)
        trend = next(row for row in session.rows(queries.trend()) if row["scan"] == outcome.scan_id)
        summary |= {
            "totals": session.rows(queries.totals())[0],
            "growth_bytes": trend["growth_bytes"],
            "check": document(checked),
        }
        session.close()
        faults += _remove_old(settings, outcome.scan_id)
    code = _exit_code(outcome, checked, faults)
    summary |= {
        "reports": {form.value: str(path) for form, path in settings.reports.items()},
        "faults": faults,
        "exit_code": code,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    text = json_document(summary)
    if outcome.scan_id:
        with _writable(settings):
            write_atomically(settings.state / "history" / f"{outcome.scan_id}.json", text)
    if settings.notify and (fault := notify(settings.notify, text)):
        faults.append(fault)
        code = code or Exit.SKIPPED
    return AuditResult(outcome, checked, tuple(faults), code)


@contextlib.contextmanager
def _writable(settings: AuditSettings) -> Iterator[None]:
    """Turn an error of the state folder into StoreError."""
    try:
        yield
    except OSError as error:
        message = f"state folder {settings.state}: {reason_of(error)}"
        raise StoreError(message, "state-unwritable") from error


def _counts(outcome: ScanOutcome) -> dict[str, object]:
    return {
        "sources": outcome.sources,
        "images": outcome.images,
        "layers_read": outcome.layers_read,
        "layers_reused": outcome.layers_reused,
        "errors": outcome.errors,
        "incomplete_images": outcome.incomplete_images,
        "problems": list(problem_lines(outcome)),
    }


def _exit_code(outcome: ScanOutcome, checked: CheckResult | None, faults: list[str]) -> int:
    """The first that applies: nothing was scanned, a rule failed, something was skipped."""
    if checked is None or not outcome.images:
        return outcome.exit_code
    if checked.fails:
        return Exit.RULES_FAILED
    return outcome.exit_code or (Exit.SKIPPED if faults else Exit.COMPLETE)


def _remove_old(settings: AuditSettings, newest: str) -> Iterator[str]:
    """Remove scans that are too old, with their summaries; yields why rows were not removed.

    Scans that the current view needs are kept, and the baseline of the rules.
    """
    if settings.keep:
        needed = needed_scans(settings.catalog)
        before = moment(settings.keep, datetime.now(UTC).replace(tzinfo=None))
        for old in expired(settings.catalog, before):
            baseline = settings.check.baseline
            if old != newest and old not in needed and not (baseline and old.startswith(baseline)):
                forget(settings.catalog, old)
        # an audit that was killed may have removed a scan but not its layers
        try:
            collect(settings.catalog)
        except LockedError as error:
            yield f"rows of old scans were not removed: {error.message}"
    kept = set(scan_ids(settings.catalog))
    for summary in (settings.state / "history").glob("*.json"):
        if summary.stem not in kept and not summary.name.startswith("."):
            with contextlib.suppress(FileNotFoundError):
                summary.unlink()
