"""Commands that look into one image as a container sees it."""

from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.analysis import queries
from dedupe.cli.tables import table
from dedupe.model.questions import AnyQuestion

if TYPE_CHECKING:
    from dedupe.store.session import Session

_IMAGE_HELP = "Name, name without registry or tag, or beginning of an ID."
_PATH_HELP = "Path from the root; links among its folders are followed."

ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help=_IMAGE_HELP)]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""

    @table(app)
    def ls(
        session: "Session",
        image: ImageArgument,
        path: Annotated[str, typer.Argument(metavar="[PATH]", help=_PATH_HELP)] = "/",
        recursive: Annotated[
            bool, typer.Option("--recursive", "-R", help="All that lies below, at any depth.")
        ] = False,
    ) -> AnyQuestion:
        """List a folder as a container of the image sees it, with the layer of each name."""
        from dedupe.analysis.paths.lookup import existing_path
        from dedupe.analysis.selection import one_image

        identity = one_image(session, image)
        found = existing_path(session, identity, image, path)
        _say(found.links)
        return queries.paths_ls(path=found.path, recursive=recursive, about=(identity,))

    @table(app)
    def find(
        session: "Session",
        image: ImageArgument,
        glob: Annotated[
            str,
            typer.Argument(
                metavar="GLOB", help="Without a slash: names at any depth; '**' crosses slashes."
            ),
        ],
    ) -> AnyQuestion:
        """Find paths by a glob among those that a container of the image sees."""
        from dedupe.analysis.paths.globs import pattern_of
        from dedupe.analysis.selection import one_image

        return queries.paths_find(pattern=pattern_of(glob), about=(one_image(session, image),))

    @table(app)
    def which(
        session: "Session",
        image: ImageArgument,
        path: Annotated[str, typer.Argument(metavar="PATH", help=_PATH_HELP)],
        container: Annotated[
            str | None,
            typer.Option(help="With the writable branch of this container on top."),
        ] = None,
    ) -> AnyQuestion:
        """Look a path up from the top branch down: who provides it, who hides which copy, why."""
        from dedupe.analysis.paths.which import branches_of
        from dedupe.analysis.selection import one_image

        identity = one_image(session, image)
        question, links = branches_of(session, identity, image, path, container)
        _say(links)
        return question

    @table(
        app,
        columns=(
            *("position", "added_bytes", "shadowed_bytes", "live_bytes", "hides_bytes"),
            *("compressed_bytes", "created_by"),
        ),
    )
    def history(session: "Session", image: ImageArgument) -> AnyQuestion:
        """List the build steps of an image with what each added, hid, and left to be read."""
        from dedupe.analysis.selection import one_image

        return queries.paths_history(about=(one_image(session, image),))


def _say(links: tuple[str, ...]) -> None:
    """Say which links stand between the path that was asked for and the answer."""
    for link in links:
        typer.echo(f"dedupe: followed {link}", err=True)
