"""The command that fails where a scan breaks the rules."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import BytesOption, CatalogOption, OutputOption, ScanOption
from dedupe.cli.output import write
from dedupe.cli.tables import open_session
from dedupe.errors import Exit, UsageError

if TYPE_CHECKING:
    from dedupe.analysis.check import CheckResult, CheckSettings


class CheckFormat(StrEnum):
    """Forms of the result."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


LimitsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE=VALUE", help="Fail beyond it: highest-shadowed-bytes=50MB; repeat it."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(check)


def check(
    config: Annotated[
        Path | None,
        typer.Option(help="Rules; if absent, dedupe.toml or .dive-ci of this folder."),
    ] = None,
    fail: LimitsOption = None,
    warn: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE=VALUE", help="Only warn beyond it; repeat it."),
    ] = None,
    floor: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Shares of fewer bytes break no rule (10MB)."),
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGE", help="Don't hold this image's layers against others."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Paths that don't count; repeat it."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="SCAN", help="Growth since this scan, not the one before."),
    ] = None,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    format: Annotated[
        CheckFormat, typer.Option("--format", "-f", help="Form of the answer.")
    ] = CheckFormat.TABLE,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Judge a scan by rules; exits with 10 where one is broken.

    Rules: lowest-efficiency, highest-shadowed-bytes, highest-shadowed-percent,
    highest-upper-shadowed-percent, highest-base-shadowed-bytes, highest-exclusive-bytes (of a
    repository), highest-duplicate-bytes, highest-duplicate-percent, highest-growth-bytes,
    highest-growth-percent, highest-incomplete-images. docs/check.md explains them.
    """
    from dataclasses import replace

    from dedupe.analysis.amounts import size_bytes
    from dedupe.analysis.check import check as judge
    from dedupe.analysis.check.settings import with_limits

    settings = with_limits(_settings(config), fail or (), warn or ())
    settings = replace(
        settings,
        floor_bytes=size_bytes(floor) if floor else settings.floor_bytes,
        base=(*settings.base, *(base or ())),
        ignored_paths=(*settings.ignored_paths, *(ignore or ())),
        baseline=baseline or settings.baseline,
    )
    if not settings.has_limits:
        raise UsageError(
            "no rule is set: give one, as --fail highest-shadowed-percent=10, or write them into "
            "dedupe.toml (docs/check.md)",
            "no-rule",
        )
    found = judge(open_session(catalog, scan), settings)
    write(_rendered(found, format, plain=plain), output)
    leave(found)


def leave(found: "CheckResult") -> None:
    """Exit with 10 where a rule failed."""
    from dedupe.analysis.check import Verdict

    if found.verdict is Verdict.FAILED:
        raise typer.Exit(Exit.RULES_FAILED)


def _settings(config: Path | None) -> "CheckSettings":
    from dedupe.analysis.check import CheckSettings
    from dedupe.analysis.check.settings import read_check_settings, settings_file

    path = config or settings_file(Path.cwd())
    if path is None:
        return CheckSettings()
    if config is None:
        typer.echo(f"dedupe: rules of {path.name}", err=True)
    return read_check_settings(path)


def _rendered(found: "CheckResult", format: CheckFormat, *, plain: bool) -> str:
    from dedupe.report import check as report

    match format:
        case CheckFormat.TABLE:
            return report.as_text(found, plain=plain)
        case CheckFormat.JSON:
            return report.as_json(found)
        case CheckFormat.MARKDOWN:
            return report.as_markdown(found)
