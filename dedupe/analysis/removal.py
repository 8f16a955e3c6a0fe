"""Commands that delete images with the tools of each kind of store. Nothing is run here."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

from dedupe.analysis import queries
from dedupe.model.images import SourceKind


@dataclass(frozen=True, slots=True)
class Removal:
    """One step in one source: a command, or a note why no command does it."""

    source: str
    kind: str
    #: empty if no command does it
    command: tuple[str, ...]
    note: str = ""

    @property
    def shell(self) -> str:
        """The command for a POSIX shell, quoted where needed."""
        return shlex.join(self.command)


def removals(
    places: Sequence[queries.WhatIfPlacesRow],
    artifacts: Sequence[queries.WhatIfArtifactsRow] = (),
) -> list[Removal]:
    """Steps that delete the images of ``what_if_places`` and artifacts, source by source."""
    steps: list[Removal] = []
    # what else a source holds is known best from the rows of artifacts, which come first
    every = sorted([*map(_as_place, artifacts), *places], key=itemgetter("source", "kind"))
    for (source, kind), rows in groupby(every, key=itemgetter("source", "kind")):
        steps += map(_runnable, _of_source(source, SourceKind(kind), list(rows)))
    return steps


def _as_place(row: queries.WhatIfArtifactsRow) -> queries.WhatIfPlacesRow:
    """An artifact as the tools delete it: like an image of its names and digest."""
    return {
        "source": row["source"],
        "kind": row["kind"],
        "image_id": row["artifact_id"],
        "names": row["names"],
        "digests": [row["artifact_id"]],
        "store_id": None,
        "others": row["others"],
    }


def _runnable(step: Removal) -> Removal:
    """The step without its command if a name had to be escaped: no tool knows the escaped name."""
    if not any("\\" in word for word in step.command):
        return step
    words = " ".join(step.command)
    return replace(
        step, command=(), note=f"run it by hand, a name has unprintable characters: {words}"
    )


def _of_source(
    source: str, kind: SourceKind, rows: list[queries.WhatIfPlacesRow]
) -> Iterator[Removal]:
    match kind:
        case SourceKind.CONTAINERS_STORAGE:
            for row in rows:
                yield Removal(source, kind, ("podman", "--root", source, "rmi", "--", *_ids(row)))
        case SourceKind.DOCKER | SourceKind.DOCKER_CONTAINERD:
            for row in rows:
                yield Removal(source, kind, ("docker", "rmi", "--", *_ids(row)))
        case SourceKind.CONTAINERD:
            for row in rows:
                yield _containerd(source, kind, row)
        case SourceKind.REGISTRY:
            yield from _registry(source, kind, rows)
        case SourceKind.OCI_LAYOUT:
            yield from _layout(source, kind, rows)
        case SourceKind.OCI_ARCHIVE | SourceKind.DOCKER_ARCHIVE | SourceKind.TAR | SourceKind.DIR:
            yield _file(source, kind, rows)
        case (
            SourceKind.BUILDKIT
            | SourceKind.SOCI
            | SourceKind.STARGZ
            | SourceKind.NYDUS
            | SourceKind.SNAPSHOTTER
        ):
            yield Removal(source, kind, (), "its insides are not read: use its own program")
        case SourceKind.BLOBS:
            # it has no images of its own
            return


def _ids(row: queries.WhatIfPlacesRow) -> list[str]:
    """All names of the image, so that no tool asks for --force; its ID if it has no name."""
    return list(row["names"]) or [(row["store_id"] or row["image_id"]).removeprefix("sha256:")]


def _containerd(source: str, kind: str, row: queries.WhatIfPlacesRow) -> Removal:
    if not row["names"]:
        return Removal(source, kind, (), f"{row['image_id']} has no name to remove")
    note = "in the namespace of the image: ctr --namespace NAME"
    return Removal(source, kind, ("ctr", "images", "rm", "--sync", "--", *row["names"]), note)


def _registry(source: str, kind: str, rows: list[queries.WhatIfPlacesRow]) -> Iterator[Removal]:
    for row in rows:
        repositories = sorted({_repository(name) for name in row["names"]})
        if not repositories or not row["digests"]:
            yield Removal(
                source, kind, (), f"{row['image_id']} has no repository to delete it from"
            )
        for repository in repositories:
            for digest in row["digests"]:
                yield Removal(
                    source,
                    kind,
                    ("skopeo", "delete", f"docker://REGISTRY/{repository}@{digest}"),
                    "REGISTRY is the address of your registry; this deletes all tags of the digest",
                )
    yield Removal(
        source,
        kind,
        ("registry", "garbage-collect", "/etc/docker/registry/config.yml"),
        "frees the blobs; use the configuration of your registry, and do not push meanwhile",
    )


def _repository(name: str) -> str:
    path = name.partition("@")[0]
    head, colon, tag = path.rpartition(":")
    return head if colon and "/" not in tag else path


def _layout(source: str, kind: str, rows: list[queries.WhatIfPlacesRow]) -> Iterator[Removal]:
    for row in rows:
        if not row["names"] or ":" in source:
            digests = ", ".join(row["digests"]) or row["image_id"]
            yield Removal(source, kind, (), f"remove the entry of {digests} from index.json")
            continue
        for name in row["names"]:
            tag = _tag_in_layout(source, name)
            yield Removal(source, kind, ("umoci", "rm", "--image", f"{source}:{tag}"))
    yield Removal(
        source,
        kind,
        ("umoci", "gc", "--layout", source),
        "frees the blobs that no manifest references",
    )


def _tag_in_layout(source: str, name: str) -> str:
    """The name as ``index.json`` has it: a bare tag was given the layout's name."""
    layout, _, tag = name.rpartition(":")
    is_ours = layout and (source == layout or source.endswith("/" + layout))
    return tag if is_ours else name


def _file(source: str, kind: str, rows: list[queries.WhatIfPlacesRow]) -> Removal:
    others = rows[0]["others"]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        kept = ", ".join(others[:3]) + more
        return Removal(
            source, kind, (), f"it also holds {kept}: save it again without the images to delete"
        )
    flags = ("-r",) if kind == SourceKind.DIR else ()
    return Removal(source, kind, ("rm", *flags, "--", source))
