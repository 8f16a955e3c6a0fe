"""Commands that look into one image as a container sees it."""

from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session

IMAGE_HELP = "Full name, name without registry or tag, SOURCE::IMAGE, or the beginning of an ID."
_PATH_HELP = "Path from the root; symbolic links to folders are followed."

ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help=IMAGE_HELP)]


@table()
def ls(
    session: "Session",
    image: ImageArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help=_PATH_HELP)] = "/",
    recursive: Annotated[
        bool, typer.Option("--recursive", "-R", help="List everything below, at any depth.")
    ] = False,
) -> AnyQuestion:
    """List a folder as a container sees it, with the layer that each entry comes from."""
    from dedupe.analysis.paths.lookup import existing_path
    from dedupe.analysis.selection import one_image

    identity = one_image(session, image)
    found = existing_path(session, identity, image, path)
    _report_links(found.links)
    return queries.paths_ls(path=found.path, recursive=recursive, about=(identity,))


@table()
def find(
    session: "Session",
    image: ImageArgument,
    glob: Annotated[
        str,
        typer.Argument(
            metavar="GLOB",
            help="Pattern; without a slash it matches names at any depth; '**' matches across "
            "slashes.",
        ),
    ],
) -> AnyQuestion:
    """Find paths by a glob in an image as a container sees it."""
    from dedupe.analysis.paths.globs import pattern_of
    from dedupe.analysis.selection import one_image

    return queries.paths_find(pattern=pattern_of(glob), about=(one_image(session, image),))


@table()
def which(
    session: "Session",
    image: ImageArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help=_PATH_HELP)],
    container: Annotated[
        str | None,
        typer.Option(
            metavar="CONTAINER",
            help="Put this container's writable layer on top; name or beginning of its ID.",
        ),
    ] = None,
) -> AnyQuestion:
    """Show which layer provides a path, which layers hide other copies of it, and why.

    Layers are listed from the top down, as the union mount looks a path up.
    """
    from dedupe.analysis.paths.which import branches_of
    from dedupe.analysis.selection import one_image

    identity = one_image(session, image)
    question, links = branches_of(session, identity, image, path, container)
    _report_links(links)
    return question


@table(
    columns=(
        *("position", "added_bytes", "shadowed_bytes", "live_bytes", "hides_bytes"),
        *("compressed_bytes", "created_by"),
    )
)
def history(session: "Session", image: ImageArgument) -> AnyQuestion:
    """List an image's build steps with the bytes each adds and hides, and how many stay live."""
    from dedupe.analysis.selection import one_image

    return queries.paths_history(about=(one_image(session, image),))


def _report_links(links: tuple[str, ...]) -> None:
    """Print the symbolic links that were followed to the path."""
    for link in links:
        typer.echo(f"dedupe: followed {link}", err=True)
