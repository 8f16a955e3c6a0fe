"""The command that a scheduler starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dedupe.audit import AuditResult


def audit(
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="Settings file with a table named audit.")
    ] = Path("dedupe.toml"),
    keep: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Forget scans older than 90d, 12w or a date."),
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Command to run at the end; receives the summary as JSON on stdin.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print problems only.")] = False,
) -> None:
    """Run the whole nightly job that one file describes.

    Scans, checks, writes reports and metrics, forgets old scans and notifies. Exits with 10 if a
    rule fails and with 6 if another audit is running. The page audit.md explains the settings
    (dedupe --docs-path).
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from dedupe.audit import audit as run
    from dedupe.audit import read_audit
    from dedupe.audit.settings import command_of
    from dedupe.cli.progress import Reporter
    from dedupe.model.amounts import moment

    settings = read_audit(config)
    if keep is not None:
        moment(keep, datetime.now(UTC).replace(tzinfo=None))  # raises if it is not an age
        settings = replace(settings, keep=keep)
    if notify is not None:
        settings = replace(settings, notify=command_of(notify))
    reporter = Reporter(quiet=quiet)
    ended = run(settings, reporter)
    reporter.finish()
    _print_outcome(ended, quiet=quiet)
    if ended.exit_code:
        raise typer.Exit(ended.exit_code)


def _print_outcome(ended: "AuditResult", *, quiet: bool) -> None:
    """Print problems on standard error and rules on standard output; passed rules unless quiet."""
    from dedupe.analysis.check import Verdict
    from dedupe.report.check import to_terminal
    from dedupe.report.scan import incomplete_images, problem_lines, summary

    for line in (*problem_lines(ended.outcome), *(f"dedupe: {fault}" for fault in ended.faults)):
        typer.echo(line, err=True)
    if not quiet:
        typer.echo(summary(ended.outcome), err=True)
    elif ended.outcome.incomplete_images:
        typer.echo(f"dedupe: {incomplete_images(ended.outcome)}", err=True)
    checked = ended.checked
    if checked and (not quiet or checked.verdict not in (Verdict.PASSED, Verdict.SKIPPED)):
        typer.echo(to_terminal(checked, plain=False), nl=False)
