"""The files that an audit writes."""

from collections.abc import Iterator

from dedupe.analysis.check import CheckResult
from dedupe.audit.settings import AuditSettings
from dedupe.errors import reason_of
from dedupe.host.writing import write_atomically
from dedupe.report.forms import FORMS, ReportInput
from dedupe.store.session import Session


def write_reports(settings: AuditSettings, session: Session, checked: CheckResult) -> Iterator[str]:
    """Write each report into its file, which is replaced as a whole.

    Yields one message per file that could not be written.
    """
    given = ReportInput(session, checked)
    for form, path in settings.reports.items():
        text = FORMS[form].write(given)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)
        except OSError as error:
            yield f"report {form.value}: {path}: cannot be written: {reason_of(error)}"
