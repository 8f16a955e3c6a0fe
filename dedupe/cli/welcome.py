"""What ``dedupe`` prints without a command."""

import typer

from dedupe.analysis import queries


def welcome() -> None:
    """Print what the default catalog holds, or how to fill it."""
    from dedupe.errors import StoreError
    from dedupe.report.welcome import first_steps, last_scan
    from dedupe.sources.places import usual_places
    from dedupe.store.catalog import default_catalog
    from dedupe.store.session import Session

    folder = default_catalog()
    try:
        scans = Session(folder).rows(queries.trend())
    except StoreError as error:
        # a catalog that is damaged, or of another version, is not a first run: report it
        if error.code not in ("no-catalog", "no-scan"):
            raise
        typer.echo(first_steps(usual_places()), nl=False)
    else:
        typer.echo(last_scan(folder, scans), nl=False)
