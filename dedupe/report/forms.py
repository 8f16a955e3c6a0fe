"""The forms of the report: one entry per form, for ``dedupe report`` and for ``dedupe audit``.

To add a form, write a module with a function ``to_FORM``, name the form in ``Form``, and give it
an entry in ``FORMS``. The module of a form is imported when the form is written: commands import
this module for the names alone, and must start at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dedupe.analysis.check import CheckResult
    from dedupe.analysis.overview import Inventory, Metrics, Overview
    from dedupe.analysis.page import PageRows
    from dedupe.analysis.reorder.proofs import ReorderQuestions

#: rows of the long lists, unless a command says otherwise
DEFAULT_LIMIT = 1000


class Form(StrEnum):
    """Names of the forms, as options and settings have them."""

    TERMINAL = "terminal"
    JSON = "json"
    HTML = "html"
    MARKDOWN = "markdown"
    CSV = "csv"
    SARIF = "sarif"
    #: metrics, for the text-file collector of a node exporter
    OPENMETRICS = "openmetrics"
    #: the outcome of a check, as JSON
    CHECK = "check"
    CHECK_MARKDOWN = "check_markdown"


class ReportInput:
    """What forms are made of; each answer is asked for once, when the first form needs it."""

    def __init__(
        self,
        session: "ReorderQuestions",
        checked: "CheckResult | None" = None,
        *,
        limit: int = DEFAULT_LIMIT,
        plain: bool = False,
    ) -> None:
        self._session = session
        #: the outcome of the check, if there was one
        self.checked = checked
        #: rows of the long lists of forms that take a limit; 0 for all
        self.limit = limit
        #: all digits of a size, in forms that shorten sizes
        self.plain = plain

    @cached_property
    def overview(self) -> "Overview":
        """The rows that every form has."""
        from dedupe.analysis.overview import overview

        return overview(self._session)

    @cached_property
    def inventory(self) -> "Inventory":
        """The overview with its long lists."""
        from dedupe.analysis.overview import inventory

        return inventory(self._session, self.overview, self.limit)

    @cached_property
    def metrics(self) -> "Metrics":
        """The overview with its repositories."""
        from dedupe.analysis.overview import metrics

        return metrics(self._session, self.overview)

    @cached_property
    def page_rows(self) -> "PageRows":
        """The overview with all that the HTML page draws."""
        from dedupe.analysis.page import page_rows

        return page_rows(self._session, self.overview)


def _terminal(given: ReportInput) -> str:
    from dedupe.report.terminal import to_terminal

    return to_terminal(given.overview, plain=given.plain)


def _json(given: ReportInput) -> str:
    from dedupe.report.json_report import to_json

    return to_json(given.inventory, given.limit)


def _html(given: ReportInput) -> str:
    from dedupe.report.html import to_html

    return to_html(given.page_rows)


def _markdown(given: ReportInput) -> str:
    from dedupe.report.markdown import to_markdown

    return to_markdown(given.overview, plain=given.plain)


def _csv(given: ReportInput) -> str:
    from dedupe.report.csv_report import to_csv

    return to_csv(given.overview, given.limit)


def _sarif(given: ReportInput) -> str:
    from dedupe.report.sarif import to_sarif

    return to_sarif(given.overview, given.limit)


def _openmetrics(given: ReportInput) -> str:
    from dedupe.report.openmetrics import to_openmetrics

    return to_openmetrics(given.metrics, given.checked)


def _check(given: ReportInput) -> str:
    from dedupe.report.check import to_json

    return to_json(_outcome(given))


def _check_markdown(given: ReportInput) -> str:
    from dedupe.report.check import to_markdown

    return to_markdown(_outcome(given))


def _outcome(given: ReportInput) -> "CheckResult":
    if given.checked is None:
        raise ValueError("this form needs the outcome of a check")
    return given.checked


@dataclass(frozen=True, slots=True)
class FormEntry:
    """One form: how it is written, and what it depends on."""

    write: Callable[[ReportInput], str]
    #: its long lists end at the limit
    takes_limit: bool = False
    #: it shortens sizes, unless all digits are asked for
    takes_plain: bool = False
    #: it is about the outcome of a check
    needs_check: bool = False


FORMS: dict[Form, FormEntry] = {
    Form.TERMINAL: FormEntry(_terminal, takes_plain=True),
    Form.JSON: FormEntry(_json, takes_limit=True),
    Form.HTML: FormEntry(_html),
    Form.MARKDOWN: FormEntry(_markdown, takes_plain=True),
    Form.CSV: FormEntry(_csv, takes_limit=True),
    Form.SARIF: FormEntry(_sarif, takes_limit=True),
    Form.OPENMETRICS: FormEntry(_openmetrics),
    Form.CHECK: FormEntry(_check, needs_check=True),
    Form.CHECK_MARKDOWN: FormEntry(_check_markdown, needs_check=True),
}
