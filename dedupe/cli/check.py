"""The command that checks a scan against limits."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import BytesOption, CatalogOption, OutputOption, ScanOption, SourceOption
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


FailOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE=VALUE",
        help="Fail beyond this limit, such as highest-shadowed-bytes=50MB; repeat it.",
    ),
]
WarnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE=VALUE", help="Warn beyond this limit; repeat it."),
]
FloorOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Ignore percentage rules below this many bytes (default: 10MB)."
    ),
]
AllowUnknownOption = Annotated[
    bool,
    typer.Option("--allow-unknown", help="Let rules pass whose figure is unknown."),
]
BaseOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IMAGE", help="Don't blame images for layers of this base image; repeat it."
    ),
]


def check(
    config: Annotated[
        Path | None,
        typer.Option(help="File with the rules (default: dedupe.toml or .dive-ci in this folder)."),
    ] = None,
    fail: FailOption = None,
    warn: WarnOption = None,
    floor: FloorOption = None,
    allow_unknown: AllowUnknownOption = False,
    base: BaseOption = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Ignore these paths; repeat it."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="SCAN", help="Measure growth since this scan (default: the scan before)."
        ),
    ] = None,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: Annotated[
        CheckFormat, typer.Option("--format", "-f", help="Output format.")
    ] = CheckFormat.TABLE,
    output: OutputOption = None,
    plain: BytesOption = False,
) -> None:
    """Check a scan against limits; exits with 10 if one is exceeded or cannot be judged.

    Rules: lowest-efficiency, highest-shadowed-bytes, highest-shadowed-percent,
    highest-upper-shadowed-percent, highest-base-shadowed-bytes, highest-exclusive-bytes (of a
    repository), highest-duplicate-bytes, highest-duplicate-percent, highest-growth-bytes,
    highest-growth-percent, highest-incomplete-images. Options override the file. The page check.md
    explains the rules (dedupe --docs-path).
    """
    from dataclasses import replace

    from dedupe.analysis.check import check as judge
    from dedupe.analysis.check.settings import with_limits
    from dedupe.model.amounts import size_bytes

    settings = with_limits(_settings(config), fail or (), warn or ())
    settings = replace(
        settings,
        floor_bytes=size_bytes(floor) if floor else settings.floor_bytes,
        unknown_passes=allow_unknown or settings.unknown_passes,
        base=(*settings.base, *(base or ())),
        ignored_paths=(*settings.ignored_paths, *(ignore or ())),
        baseline=baseline or settings.baseline,
    )
    _require_rules(settings)
    found = judge(open_session(catalog, scan, source), settings)
    write(_document(found, format, plain=plain), output)
    _exit_if_failed(found)


def _require_rules(settings: "CheckSettings") -> None:
    from dedupe.installed import locate_pages

    if not settings.has_limits:
        raise UsageError(
            locate_pages(
                "no rule is set: give one, such as --fail highest-shadowed-percent=10, or write "
                "them into dedupe.toml (docs/check.md)"
            ),
            "no-rule",
        )


def _exit_if_failed(found: "CheckResult") -> None:
    if found.fails:
        raise typer.Exit(Exit.RULES_FAILED)


def _settings(config: Path | None) -> "CheckSettings":
    """The rules of the file, or of the one that this folder has, or none."""
    from dedupe.analysis.check import CheckSettings
    from dedupe.analysis.check.settings import read_check_settings, settings_file

    path = config or settings_file(Path.cwd())
    if path is None:
        return CheckSettings()
    if config is None:
        typer.echo(f"dedupe: using the rules of {path.name}", err=True)
    return read_check_settings(path)


def _document(found: "CheckResult", format: CheckFormat, *, plain: bool) -> str:
    from dedupe.report import check as report

    match format:
        case CheckFormat.TABLE:
            return report.to_terminal(found, plain=plain)
        case CheckFormat.JSON:
            return report.to_json(found)
        case CheckFormat.MARKDOWN:
            return report.to_markdown(found)
