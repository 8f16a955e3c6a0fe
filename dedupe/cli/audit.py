"""The command that a scheduler starts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dedupe.audit import AuditResult


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(audit)


def audit(
    config: Annotated[Path, typer.Option(help="Settings, with a table [audit].")] = Path(
        "dedupe.toml"
    ),
    keep: Annotated[
        str | None, typer.Option(metavar="AGE", help="Forget scans older than 90d, 12w or a date.")
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="Start it at the end, with the summary as its input."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say something only where something is wrong.")
    ] = False,
) -> None:
    """Scan, check, write reports and metrics, forget old scans: all that one file asks for.

    Exits with 10 where a rule failed, with 6 where another audit is under way: docs/audit.md.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from dedupe.analysis.amounts import moment
    from dedupe.audit import audit as run
    from dedupe.audit import read_audit
    from dedupe.audit.settings import command_of
    from dedupe.cli.progress import Reporter

    orders = read_audit(config)
    if keep is not None:
        moment(keep, datetime.now(UTC).replace(tzinfo=None))
        orders = replace(orders, keep=keep)
    if notify is not None:
        orders = replace(orders, notify=command_of(notify))
    reporter = Reporter(quiet=quiet)
    ended = run(orders, reporter)
    reporter.finish()
    _say(ended, quiet=quiet)
    if ended.exit_code:
        raise typer.Exit(ended.exit_code)


def _say(ended: "AuditResult", *, quiet: bool) -> None:
    """The rules on standard output, where they are broken or not to be quiet; faults besides."""
    from dedupe.analysis.check import Verdict
    from dedupe.report.check import to_terminal
    from dedupe.report.scan import problem_lines, summary

    for line in (*problem_lines(ended.outcome), *(f"dedupe: {fault}" for fault in ended.faults)):
        typer.echo(line, err=True)
    if not quiet:
        typer.echo(summary(ended.outcome), err=True)
    checked = ended.checked
    if checked and (not quiet or checked.verdict in (Verdict.WARNED, Verdict.FAILED)):
        typer.echo(to_terminal(checked, plain=False), nl=False)
