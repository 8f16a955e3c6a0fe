"""The files that an audit writes."""

from collections.abc import Iterator

from dedupe.analysis.check import CheckResult, Outcome, Verdict
from dedupe.analysis.metrics import metrics
from dedupe.analysis.overview import inventory, overview
from dedupe.analysis.page import page
from dedupe.audit.settings import Audit, Report
from dedupe.errors import reason_of
from dedupe.host.writing import write_atomically
from dedupe.report import check as check_report
from dedupe.report import csv_report, html, json_report, markdown, openmetrics, sarif
from dedupe.store.session import Session

#: rows of a list of files in JSON, CSV and SARIF, the largest first
_MOST_ROWS = 1000

_LEVELS = {Verdict.NOT_JUDGED: -1, Verdict.PASSED: 0, Verdict.WARNED: 1, Verdict.FAILED: 2}
_END = "# EOF\n"


def write_reports(audit: Audit, session: Session, checked: CheckResult) -> Iterator[str]:
    """Write all that is asked for, each file whole; yields what could not be written."""
    for kind, path in audit.reports.items():
        text = _rendered(kind, session, checked)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        except OSError as error:
            reason = reason_of(error)
            yield f"report {kind.value}: {path}: cannot be written: {reason}"


def _rendered(kind: Report, session: Session, checked: CheckResult) -> str:
    match kind:
        case Report.HTML:
            return html.render(page(session))
        case Report.JSON:
            return json_report.render(inventory(session), _MOST_ROWS)
        case Report.MARKDOWN:
            return markdown.render(overview(session), plain=False)
        case Report.CSV:
            return csv_report.render(overview(session), _MOST_ROWS)
        case Report.SARIF:
            return sarif.render(overview(session), _MOST_ROWS)
        case Report.OPENMETRICS:
            figures = openmetrics.render(metrics(session)).removesuffix(_END)
            return figures + "".join(_gate_metrics(checked)) + _END
        case Report.CHECK:
            return check_report.as_json(checked)
        case Report.CHECK_MARKDOWN:
            return check_report.as_markdown(checked)


def _gate_metrics(checked: CheckResult) -> Iterator[str]:
    """A gauge a rule; names of rules need no escape."""
    judged = [(each, each.worst) for each in checked.outcomes]
    yield from _gauge(
        "dedupe_check_verdict",
        "0 passed, 1 warned, 2 failed, -1 not judged.",
        [(each, _LEVELS[each.verdict]) for each, _ in judged],
    )
    yield from _gauge(
        "dedupe_check_value",
        "Value of the worst that a rule was asked of, in its own unit.",
        [(each, worst.value) for each, worst in judged if worst],
    )
    yield from _gauge(
        "dedupe_check_threshold",
        "Limit of that value.",
        [(each, worst.limit) for each, worst in judged if worst and worst.limit is not None],
    )


def _gauge(name: str, text: str, samples: list[tuple[Outcome, float]]) -> Iterator[str]:
    if samples:
        yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for outcome, value in samples:
        yield f'{name}{{rule="{outcome.rule.name}"}} {value}\n'
