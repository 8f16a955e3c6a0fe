"""One function per question in queries/: its parameters, and the type of its rows.

Made from the headers of the queries by `make docs`; a test holds them equal. Change a header, not
this file. ``about`` limits a question to the images of these IDs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from dedupe.model.questions import Question


class ArtifactsRow(TypedDict):
    """A row of ``artifacts``: one row per manifest that is not an image."""

    name: str
    kind: str
    media_type: str | None
    stored_bytes: int | None
    freed_bytes: int | None
    about: list[str]
    deleted_with: list[str]
    names: list[str]
    artifact_id: str
    subject: str | None
    sources: list[str]


def artifacts(
    *,
    about: tuple[str, ...] = (),
) -> Question[ArtifactsRow]:
    """Which charts, models, signatures, attestations and build caches are stored beside images, and how large are they?"""
    return Question("artifacts", {}, about)


class CatalogScansRow(TypedDict):
    """A row of ``catalog_scans``: one row per scan."""

    scan: str
    started: datetime
    seconds: float
    layers_read: int
    layers_reused: int
    sources: list[str]
    answers: int
    places: list[str] | None


def catalog_scans(
    *,
    about: tuple[str, ...] = (),
) -> Question[CatalogScansRow]:
    """Which scans does the catalog keep, of which sources, and which of them does it answer for?"""
    return Question("catalog_scans", {}, about)


class CheckBaselineRow(TypedDict):
    """A row of ``check/baseline``: one row, the latest such scan; no row without one."""

    scan: str


def check_baseline(
    *,
    about: tuple[str, ...] = (),
) -> Question[CheckBaselineRow]:
    """Which earlier scan read some source that the last scan of the view read too?"""
    return Question("check/baseline", {}, about)


class CheckDoubtsRow(TypedDict):
    """A row of ``check/doubts``: one row per source and reason."""

    source: str
    is_on_disk: bool
    reason: str


def check_doubts(
    *,
    about: tuple[str, ...] = (),
) -> Question[CheckDoubtsRow]:
    """What could not be seen of the sources, so that rules about it cannot be judged?"""
    return Question("check/doubts", {}, about)


class CheckDuplicateLayersRow(TypedDict):
    """A row of ``check/duplicate_layers``: one row per layer, most bytes first."""

    repeated_bytes: int
    files: int
    images: int
    position: int
    image: str
    step: str | None


def check_duplicate_layers(
    *,
    ignored: str | None,
    most: int,
    about: tuple[str, ...] = (),
) -> Question[CheckDuplicateLayersRow]:
    """Which layers hold the most files whose content is stored elsewhere too?"""
    return Question("check/duplicate_layers", {"ignored": ignored, "most": most}, about)


class CheckDuplicatesRow(TypedDict):
    """A row of ``check/duplicates``: one row per content hash with at least two such copies, most bytes first."""

    duplicate_bytes: int
    size_bytes: int
    copies: int
    layers: int
    paths: list[str]


def check_duplicates(
    *,
    ignored: str | None,
    most: int,
    about: tuple[str, ...] = (),
) -> Question[CheckDuplicatesRow]:
    """Which contents outside the ignored paths are stored more than once?"""
    return Question("check/duplicates", {"ignored": ignored, "most": most}, about)


class CheckExclusiveRow(TypedDict):
    """A row of ``check/exclusive``: one row per chain ID, largest first."""

    content_bytes: int
    repository: str
    images: int
    position: int
    image: str
    step: str | None
    paths: list[str]


def check_exclusive(
    *,
    repositories: Sequence[str],
    most: int,
    about: tuple[str, ...] = (),
) -> Question[CheckExclusiveRow]:
    """Which are the largest layers that only one of these repositories holds?"""
    return Question("check/exclusive", {"repositories": repositories, "most": most}, about)


class CheckGrowthRow(TypedDict):
    """A row of ``check/growth``: one row."""

    old_stored_bytes: int
    new_stored_bytes: int
    growth_bytes: int
    growth_percent: float | None


def check_growth(
    *,
    baseline: str,
    about: tuple[str, ...] = (),
) -> Question[CheckGrowthRow]:
    """By how much have the sources of the view grown on disk since another scan?"""
    return Question("check/growth", {"baseline": baseline}, about)


class CheckGrowthChangesRow(TypedDict):
    """A row of ``check/growth_changes``: one row per source that grew, and per new source, image and chain node."""

    what: str
    change: str
    name: str | None
    old_bytes: int | None
    new_bytes: int
    new_id: str | None


def check_growth_changes(
    *,
    baseline: str,
    about: tuple[str, ...] = (),
) -> Question[CheckGrowthChangesRow]:
    """Which sources, images and layers make the view larger than the sources were at another scan?"""
    return Question("check/growth_changes", {"baseline": baseline}, about)


class CheckImagesRow(TypedDict):
    """A row of ``check/images``: one row per image; cache images are left out."""

    image: str
    names: list[str]
    image_id: str
    digest: str | None
    content_bytes: int | None
    shadowed_bytes: int | None
    efficiency: float | None
    shadowed_percent: float | None
    upper_shadowed_bytes: int | None
    upper_shadowed_percent: float | None
    base_shadowed_bytes: int | None
    codes: list[str]


def check_images(
    *,
    base_images: Sequence[str],
    base_layers: Sequence[str],
    ignored: str | None,
    about: tuple[str, ...] = (),
) -> Question[CheckImagesRow]:
    """How many bytes of each image's own layers, without base layers, are shadowed?"""
    return Question("check/images", {"base_images": base_images, "base_layers": base_layers, "ignored": ignored}, about)


class CheckLayersRow(TypedDict):
    """A row of ``check/layers``: one row per (adding chain ID, hiding chain ID), most bytes first."""

    shadowed_bytes: int
    files: int
    image: str
    images: int
    added_position: int
    added_by: str | None
    hidden_position: int
    hidden_by: str | None
    fix: str


def check_layers(
    *,
    images: Sequence[str],
    held: str,
    base_images: Sequence[str],
    base_layers: Sequence[str],
    ignored: str | None,
    most: int,
    about: tuple[str, ...] = (),
) -> Question[CheckLayersRow]:
    """Which layers add and hide most of the bytes that count against these images, and what is the fix?"""
    return Question("check/layers", {"images": images, "held": held, "base_images": base_images, "base_layers": base_layers, "ignored": ignored, "most": most}, about)


class CheckPathsRow(TypedDict):
    """A row of ``check/paths``: one row per (hiding chain ID, file), largest first."""

    size_bytes: int
    cause: str | None
    image: str
    images: int
    added_position: int
    hidden_position: int
    path: str


def check_paths(
    *,
    images: Sequence[str],
    held: str,
    base_images: Sequence[str],
    base_layers: Sequence[str],
    ignored: str | None,
    most: int,
    about: tuple[str, ...] = (),
) -> Question[CheckPathsRow]:
    """Which shadowed files count against these images?"""
    return Question("check/paths", {"images": images, "held": held, "base_images": base_images, "base_layers": base_layers, "ignored": ignored, "most": most}, about)


class CheckStoreRow(TypedDict):
    """A row of ``check/store``: one row."""

    layer_bytes: int
    duplicate_bytes: int | None
    duplicate_percent: float | None
    incomplete_images: int
    listed_layers: int


def check_store(
    *,
    ignored: str | None,
    about: tuple[str, ...] = (),
) -> Question[CheckStoreRow]:
    """Which figures of the whole store do the rules of check judge?"""
    return Question("check/store", {"ignored": ignored}, about)


class ContainerSourcesRow(TypedDict):
    """A row of ``container_sources``: one row per source with containers."""

    source: str


def container_sources(
    *,
    about: tuple[str, ...] = (),
) -> Question[ContainerSourcesRow]:
    """Which stores of the scan hold containers?"""
    return Question("container_sources", {}, about)


class ContainersRow(TypedDict):
    """A row of ``containers``: one row per container."""

    name: str
    container_id: str
    image: str
    image_id: str | None
    source: str
    running: bool | None
    ro_branches: int | None
    readable: bool
    upper_bytes: int | None
    copied_up_bytes: int | None
    metadata_only_bytes: int | None
    new_bytes: int | None
    hidden_bytes: int | None
    deletions: int | None
    allocated_bytes: int | None
    container_cow_savings_bytes: int | None


def containers(
    *,
    about: tuple[str, ...] = (),
) -> Question[ContainersRow]:
    """How many bytes has each container written and hidden on top of its image?"""
    return Question("containers", {}, about)


class CopiedUpRow(TypedDict):
    """A row of ``copied_up``: one row per (container, file)."""

    container: str
    path: str
    size_bytes: int
    below_bytes: int
    metadata_only: bool | None
    changed_fields: list[str] | None
    position: int
    created_by: str | None
    image: str


def copied_up(
    *,
    about: tuple[str, ...] = (),
) -> Question[CopiedUpRow]:
    """Which files have containers copied up, and from which layer?"""
    return Question("copied_up", {}, about)


class CountsDuplicatesRow(TypedDict):
    """A row of ``counts/duplicates``: one row."""

    found: int


def counts_duplicates(
    *,
    about: tuple[str, ...] = (),
) -> Question[CountsDuplicatesRow]:
    """How many contents are stored more than once in the distinct layers?"""
    return Question("counts/duplicates", {}, about)


class CountsShadowedFilesRow(TypedDict):
    """A row of ``counts/shadowed_files``: one row."""

    found: int


def counts_shadowed_files(
    *,
    about: tuple[str, ...] = (),
) -> Question[CountsShadowedFilesRow]:
    """How many files are shadowed, each once per chain node that hides it?"""
    return Question("counts/shadowed_files", {}, about)


class CurrentViewRow(TypedDict):
    """A row of ``current_view``: one row per source."""

    source: str
    scan: str
    scanned: float
    stale_scan: str | None
    stale_since: float | None


def current_view(
    *,
    scan: str,
    about: tuple[str, ...] = (),
) -> Question[CurrentViewRow]:
    """Whose rows answer for each source at the time of a scan, and which of them are stale?"""
    return Question("current_view", {"scan": scan}, about)


class DiffFilesRow(TypedDict):
    """A row of ``diff/files``: one row per path that differs; the session holds only the two images."""

    change: str | None
    kind: str
    old_bytes: int | None
    new_bytes: int | None
    fields: list[str] | None
    old_position: int | None
    new_position: int | None
    path: str


def diff_files(
    *,
    old: str,
    new: str,
    about: tuple[str, ...] = (),
) -> Question[DiffFilesRow]:
    """Which paths differ between the merged views of two images?"""
    return Question("diff/files", {"old": old, "new": new}, about)


class DiffFirstLayerPaths(TypedDict):
    """One of ``paths`` of a row of ``diff/first_layer``."""

    path: str
    fields: list[str]


class DiffFirstLayerRow(TypedDict):
    """A row of ``diff/first_layer``: one row; no row if the images have the same layers."""

    position: int
    reason: str
    old_step: str | None
    new_step: str | None
    differing: int | None
    paths: list[DiffFirstLayerPaths] | None


def diff_first_layer(
    *,
    old: str,
    new: str,
    most: int,
    about: tuple[str, ...] = (),
) -> Question[DiffFirstLayerRow]:
    """Why does the first layer that two images do not share differ?"""
    return Question("diff/first_layer", {"old": old, "new": new, "most": most}, about)


class DiffLayersRow(TypedDict):
    """A row of ``diff/layers``: one row per (position, image); the session holds only the two images."""

    position: int
    side: str
    shared: str
    diff_id: str
    content_bytes: int | None
    compressed_bytes: int | None
    created_by: str | None


def diff_layers(
    *,
    old: str,
    new: str,
    about: tuple[str, ...] = (),
) -> Question[DiffLayersRow]:
    """Which layers do two images share, and which does only one of them have?"""
    return Question("diff/layers", {"old": old, "new": new}, about)


class DiffScanChangesRow(TypedDict):
    """A row of ``diff/scan_changes``: one row per source, image, name or layer that differs."""

    what: str
    change: str
    name: str | None
    old_bytes: int | None
    new_bytes: int | None
    old_id: str | None
    new_id: str | None
    source: str | None


def diff_scan_changes(
    *,
    old: str,
    new: str,
    about: tuple[str, ...] = (),
) -> Question[DiffScanChangesRow]:
    """Which sources, images, names and layers changed between two scans?"""
    return Question("diff/scan_changes", {"old": old, "new": new}, about)


class DiffScanSummaryRow(TypedDict):
    """A row of ``diff/scan_summary``: one row."""

    old_scan: str
    new_scan: str
    old_stored_bytes: int
    new_stored_bytes: int
    old_images: int
    new_images: int
    old_incomplete_images: int
    new_incomplete_images: int
    images_appeared: int
    images_gone: int
    names_moved: int
    old_unpacked_bytes: int
    new_unpacked_bytes: int
    unpacked_appeared: int
    unpacked_appeared_bytes: int
    unpacked_freed: int
    unpacked_freed_bytes: int
    old_compressed_bytes: int
    new_compressed_bytes: int
    compressed_appeared: int
    compressed_appeared_bytes: int
    compressed_freed: int
    compressed_freed_bytes: int


def diff_scan_summary(
    *,
    old: str,
    new: str,
    about: tuple[str, ...] = (),
) -> Question[DiffScanSummaryRow]:
    """How much did the stores hold at two scans, and how much was added and freed between them?"""
    return Question("diff/scan_summary", {"old": old, "new": new}, about)


class DiffSourceContentRow(TypedDict):
    """A row of ``diff/source_content``: one row per image, and per distinct layer."""

    what: str
    held_by: str
    name: str | None
    content_bytes: int | None
    compressed_bytes: int | None
    id: str


def diff_source_content(
    *,
    first: Sequence[str],
    second: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[DiffSourceContentRow]:
    """Which images and layers do two groups of sources hold, and is each in both or in one?"""
    return Question("diff/source_content", {"first": first, "second": second}, about)


class DiffSourceSummaryRow(TypedDict):
    """A row of ``diff/source_summary``: one row per granularity."""

    granularity: str
    shared: int
    only_first: int
    only_second: int
    shared_bytes: int
    first_bytes: int
    second_bytes: int


def diff_source_summary(
    *,
    first: Sequence[str],
    second: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[DiffSourceSummaryRow]:
    """How much do two groups of sources both hold, and how much does only one of them hold?"""
    return Question("diff/source_summary", {"first": first, "second": second}, about)


class DiffSummaryRow(TypedDict):
    """A row of ``diff/summary``: one row."""

    old_name: str
    new_name: str
    complete: bool
    added: int | None
    removed: int | None
    changed: int | None
    metadata_only: int | None
    unchanged: int | None
    added_bytes: int | None
    removed_bytes: int | None
    changed_old_bytes: int | None
    changed_new_bytes: int | None
    metadata_only_bytes: int | None
    old_layers: int
    new_layers: int
    shared_layers: int
    shared_chain: int
    shared_layer_bytes: int | None
    shared_chain_bytes: int | None
    pull_blobs: int
    pull_compressed_bytes: int
    pull_without_blob: int
    pull_uncompressed_bytes: int | None


def diff_summary(
    *,
    old: str,
    new: str,
    about: tuple[str, ...] = (),
) -> Question[DiffSummaryRow]:
    """How much differs between two images, and what must be pulled to update to the new one?"""
    return Question("diff/summary", {"old": old, "new": new}, about)


class DiskRow(TypedDict):
    """A row of ``disk``: one row per (source, kind), or per (source, kind, owner); one per source or folder whose disk usage is unknown."""

    source: str
    kind: str
    owner: str | None
    places: int | None
    allocated_bytes: int | None
    file_bytes: int | None
    files: int | None
    changed: str | None
    command: list[str] | None
    path: str
    unknown: str | None


def disk(
    *,
    by: str,
    kinds: Sequence[str],
    below: str,
    about: tuple[str, ...] = (),
) -> Question[DiskRow]:
    """What takes the disk space, in rows that add up to what du counts?"""
    return Question("disk", {"by": by, "kinds": kinds, "below": below}, about)


class DiskOwnerRow(TypedDict):
    """A row of ``disk_owner``: one row per holder of the innermost place at or above the path; one without a holder if nothing keeps it."""

    source: str
    source_kind: str | None
    path: str
    kind: str
    owner: str | None
    subject: str | None
    form: str | None
    scope: str | None
    allocated_bytes: int
    file_bytes: int
    files: int
    changed: str | None
    age_days: int | None
    command: list[str]
    scanned: float
    holder_kind: str | None
    holder: str | None
    holder_id: str | None
    goes_with_child: bool | None
    release: list[str] | None


def disk_owner(
    *,
    paths: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[DiskOwnerRow]:
    """Which place is a path in, and what keeps that place?"""
    return Question("disk_owner", {"paths": paths}, about)


class DiskPlacesRow(TypedDict):
    """A row of ``disk_places``: one row per place: a file, or a folder without the places in it."""

    source: str
    kind: str
    owner: str | None
    allocated_bytes: int
    file_bytes: int
    files: int
    changed: str | None
    age_days: int | None
    holders: list[str]
    subject: str | None
    form: str | None
    scope: str | None
    command: list[str]
    path: str


def disk_places(
    *,
    kinds: Sequence[str],
    below: str,
    about: tuple[str, ...] = (),
) -> Question[DiskPlacesRow]:
    """Which files and folders take the disk space, one by one?"""
    return Question("disk_places", {"kinds": kinds, "below": below}, about)


class DiskRootsRow(TypedDict):
    """A row of ``disk_roots``: one row per source, and per folder that was scanned and has files in no source."""

    location: str
    measured: bool
    folders: list[str]


def disk_roots(
    *,
    about: tuple[str, ...] = (),
) -> Question[DiskRootsRow]:
    """Which sources and folders does the view have disk usage of?"""
    return Question("disk_roots", {}, about)


class DuplicateClassesRow(TypedDict):
    """A row of ``duplicate_classes``: one row per class; duplicate_bytes add up to the scan's duplicate_content_bytes."""

    file_class: str
    duplicate_bytes: int
    copies: int
    contents: int


def duplicate_classes(
    *,
    by: str,
    about: tuple[str, ...] = (),
) -> Question[DuplicateClassesRow]:
    """Which kinds of files are stored more than once?"""
    return Question("duplicate_classes", {"by": by}, about)


class DuplicateFoldersRow(TypedDict):
    """A row of ``duplicate_folders``: one row per class of equal folders that is not always inside a larger duplicate."""

    duplicate_bytes: int
    size_bytes: int
    files: int
    copies: int
    layers: int
    images: int
    folders: list[str]


def duplicate_folders(
    *,
    about: tuple[str, ...] = (),
) -> Question[DuplicateFoldersRow]:
    """Which whole folders are stored more than once?"""
    return Question("duplicate_folders", {}, about)


class DuplicatesRow(TypedDict):
    """A row of ``duplicates``: one row per content hash with at least two copies."""

    content_hash: str
    size_bytes: int
    copies: int
    layers: int
    images: int
    duplicate_bytes: int
    paths: list[str]


def duplicates(
    *,
    most: int | None,
    sort: str,
    about: tuple[str, ...] = (),
) -> Question[DuplicatesRow]:
    """Which contents are stored more than once in the distinct layers?"""
    return Question("duplicates", {"most": most, "sort": sort}, about)


class FailedPlacesRow(TypedDict):
    """A row of ``failed_places``: one row per place."""

    place: str
    code: str
    message: str
    scan: str


def failed_places(
    *,
    about: tuple[str, ...] = (),
) -> Question[FailedPlacesRow]:
    """At which places that it was to read did the last scan find nothing?"""
    return Question("failed_places", {}, about)


class FindingsRow(TypedDict):
    """A row of ``findings``: one row per finding; the bytes of different kinds overlap."""

    id: str
    kind: str
    saves_bytes: int
    size_bytes: int
    files: int
    image: str
    images: int
    position: int
    step: str | None
    other_position: int | None
    other_step: str | None
    fields: list[str]
    paths: list[str]
    fix: str


def findings(
    *,
    about: tuple[str, ...] = (),
) -> Question[FindingsRow]:
    """Which problems has this store, which build step causes each, and what is the fix?"""
    return Question("findings", {}, about)


class ImageCandidatesRow(TypedDict):
    """A row of ``image_candidates``: one row per image; cache images too."""

    image_id: str
    digest: str | None
    names: list[str]
    store_ids: list[str]
    platform: str
    sources: list[str]


def image_candidates(
    *,
    text: str,
    about: tuple[str, ...] = (),
) -> Question[ImageCandidatesRow]:
    """Which images have a text in a name or an ID?"""
    return Question("image_candidates", {"text": text}, about)


class ImageContainersRow(TypedDict):
    """A row of ``image_containers``: one row per container; the session holds only one image."""

    container_id: str
    name: str | None


def image_containers(
    *,
    about: tuple[str, ...] = (),
) -> Question[ImageContainersRow]:
    """Which containers of the image have a writable branch that was read?"""
    return Question("image_containers", {}, about)


class ImageNamesRow(TypedDict):
    """A row of ``image_names``: one row per image; cache images are left out."""

    image_id: str
    name: str
    digest: str | None
    names: list[str]
    store_ids: list[str]
    platform: str
    sources: list[str]


def image_names(
    *,
    about: tuple[str, ...] = (),
) -> Question[ImageNamesRow]:
    """Which names, IDs and sources has each image?"""
    return Question("image_names", {}, about)


class ImagesRow(TypedDict):
    """A row of ``images``: one row per image; cache images are left out."""

    name: str
    label: str
    names: list[str]
    image_id: str
    digest: str | None
    platform: str
    created: str | None
    sources: list[str]
    layers: int
    complete: bool
    unread_layers: int
    read_bytes: int
    read_shadowed_bytes: int
    content_bytes: int | None
    live_bytes: int | None
    shadowed_bytes: int | None
    modified: int | None
    metadata_only: int | None
    unchanged: int | None
    deleted: int | None
    opaque: int | None
    replaced: int | None
    superseded: int | None
    efficiency: float | None
    exclusive_compressed: int | None
    exclusive_unpacked: int | None
    exclusive_content: int | None
    attributed_compressed: int | None
    attributed_unpacked: int | None
    attributed_content: int | None


def images(
    *,
    about: tuple[str, ...] = (),
) -> Question[ImagesRow]:
    """How many bytes of each image are content, live, shadowed, exclusive and attributed?"""
    return Question("images", {}, about)


class IncompleteRow(TypedDict):
    """A row of ``incomplete``: one row per problem code, most images first; no row if all images are complete."""

    code: str
    images: int
    of_images: int
    layers: int
    image_ids: list[str]
    image_names: list[str]


def incomplete(
    *,
    about: tuple[str, ...] = (),
) -> Question[IncompleteRow]:
    """How many images are incomplete, and because of which problems?"""
    return Question("incomplete", {}, about)


class LayersBlobs(TypedDict):
    """One of ``blobs`` of a row of ``layers``."""

    digest: str
    compressed_bytes: int


class LayersRow(TypedDict):
    """A row of ``layers``: one row per distinct layer that some image references."""

    diff_id: str | None
    verified: str | None
    blobs: list[LayersBlobs]
    content_bytes: int | None
    allocated_bytes: int | None
    entries: int | None
    images: int
    chains: int
    created_by: list[str]


def layers(
    *,
    about: tuple[str, ...] = (),
) -> Question[LayersRow]:
    """Which layers do images reference, what do they hold, and how many images share each?"""
    return Question("layers", {}, about)


class MergedViewRow(TypedDict):
    """A row of ``merged_view``: one row per (image, visible path) that some layer lists."""

    image_id: str
    path: str
    kind: str
    size_bytes: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    link: str | None
    content_hash: bytes | None
    position: int


def merged_view(
    *,
    about: tuple[str, ...] = (),
) -> Question[MergedViewRow]:
    """Which paths does a container of each image see?"""
    return Question("merged_view", {}, about)


class PathsFindRow(TypedDict):
    """A row of ``paths/find``: one row per path; the session holds only one image."""

    mode: str
    uid: int | None
    gid: int | None
    size_bytes: int
    mtime: datetime | None
    position: int | None
    created_by: str | None
    path: str
    link: str | None
    flags: str | None


def paths_find(
    *,
    pattern: str,
    about: tuple[str, ...] = (),
) -> Question[PathsFindRow]:
    """Which visible paths of the image match a pattern?"""
    return Question("paths/find", {"pattern": pattern}, about)


class PathsHistoryRow(TypedDict):
    """A row of ``paths/history``: one row per layer, base first; the session holds only one image."""

    position: int
    diff_id: str
    added_bytes: int | None
    shadowed_bytes: int | None
    live_bytes: int | None
    hides_bytes: int | None
    compressed_bytes: int | None
    files: int | None
    marks: int | None
    created_by: str | None


def paths_history(
    *,
    about: tuple[str, ...] = (),
) -> Question[PathsHistoryRow]:
    """How many bytes did each build step of the image add and hide, and how many are live?"""
    return Question("paths/history", {}, about)


class PathsKindRow(TypedDict):
    """A row of ``paths/kind``: one row per visible path; the session holds only one image."""

    path: str
    kind: str
    link: str | None


def paths_kind(
    *,
    paths: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[PathsKindRow]:
    """Which kind of file does a container of the image see at each of these paths?"""
    return Question("paths/kind", {"paths": paths}, about)


class PathsLsRow(TypedDict):
    """A row of ``paths/ls``: one row per path; the session holds only one image."""

    mode: str
    uid: int | None
    gid: int | None
    size_bytes: int
    mtime: datetime | None
    position: int | None
    created_by: str | None
    path: str
    link: str | None
    flags: str | None


def paths_ls(
    *,
    path: str,
    recursive: bool,
    about: tuple[str, ...] = (),
) -> Question[PathsLsRow]:
    """What does a container of the image see in a directory, or at another path?"""
    return Question("paths/ls", {"path": path, "recursive": recursive}, about)


class PathsWhichRow(TypedDict):
    """A row of ``paths/which``: one row per (branch, entry of the path or mark that hides it); one empty row for a branch with neither; the session holds only one image."""

    position: int
    mode: str
    state: str
    kind: str | None
    size_bytes: int | None
    cause: str | None
    changed_fields: list[str]
    hidden_position: int | None
    created_by: str | None
    hidden_by: str | None
    path: str | None
    flags: str | None


def paths_which(
    *,
    path: str,
    container: str | None,
    about: tuple[str, ...] = (),
) -> Question[PathsWhichRow]:
    """Which branches of the image have a path or hide it, from the top down, and which one is seen?"""
    return Question("paths/which", {"path": path, "container": container}, about)


class ProblemsRow(TypedDict):
    """A row of ``problems``: one row per problem; a blob that several images need has one."""

    source: str
    subject: str
    code: str
    message: str
    severity: str
    images: list[str]


def problems(
    *,
    about: tuple[str, ...] = (),
) -> Question[ProblemsRow]:
    """Which things were skipped, could not be verified, or are read differently by other tools?"""
    return Question("problems", {}, about)


class ReorderChangeRatesRow(TypedDict):
    """A row of ``reorder/change_rates``: one row per (image, position); cache images are left out."""

    image_id: str
    position: int
    layer: str
    changes: int | None
    transitions: int
    rate: float | None


def reorder_change_rates(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderChangeRatesRow]:
    """How often did each layer of an image change from one tag to the next, by its own step?"""
    return Question("reorder/change_rates", {}, about)


class ReorderConflictsRow(TypedDict):
    """A row of ``reorder/conflicts``: one row per (lower layer, upper layer) that do not commute in the grade."""

    lower_layer: str
    upper_layer: str
    rule: str
    lower_path: str | None
    upper_path: str | None
    paths: int


def reorder_conflicts(
    *,
    grade: str,
    about: tuple[str, ...] = (),
) -> Question[ReorderConflictsRow]:
    """Which layers of an image cannot change places, and because of which path?"""
    return Question("reorder/conflicts", {"grade": grade}, about)


class ReorderJoinsRow(TypedDict):
    """A row of ``reorder/joins``: one row per chain node with a parent. A base that many images share counts once. Layers that were not read are left out."""

    net_bytes: int
    frees_bytes: int
    costs_bytes: int
    images: int
    other_images: int
    lower_bytes: int
    upper_bytes: int
    lower_position: int
    lower_step: str | None
    upper_step: str | None
    image: str
    lower_chain: str
    upper_chain: str


def reorder_joins(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderJoinsRow]:
    """How many bytes would joining two adjacent layers free, and how many would it cost?"""
    return Question("reorder/joins", {}, about)


class ReorderLayersRow(TypedDict):
    """A row of ``reorder/layers``: one row per (image, position); cache images are left out."""

    image_id: str
    name: str
    names: list[str]
    complete: bool
    base: str | None
    base_layers: int
    position: int
    layer: str
    diff_id: str
    created_by: str | None
    content_bytes: int
    pull_bytes: int
    step_class: str
    class_reason: str | None


def reorder_layers(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderLayersRow]:
    """Which layers has each image, and how many bytes does each cost?"""
    return Question("reorder/layers", {}, about)


class ReorderMovableConflictsRow(TypedDict):
    """A row of ``reorder/movable_conflicts``: one row per (lower layer, upper layer) that do not commute in the grade."""

    lower_layer: str
    upper_layer: str
    rule: str
    lower_path: str | None
    upper_path: str | None
    paths: int


def reorder_movable_conflicts(
    *,
    grade: str,
    about: tuple[str, ...] = (),
) -> Question[ReorderMovableConflictsRow]:
    """Which layers of an image cannot change places, if another order of it can matter?"""
    return Question("reorder/movable_conflicts", {"grade": grade}, about)


class ReorderMovableImagesRow(TypedDict):
    """A row of ``reorder/movable_images``: one row per image."""

    image_id: str


def reorder_movable_images(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderMovableImagesRow]:
    """Of which images can another order of layers or of build steps matter?"""
    return Question("reorder/movable_images", {}, about)


class ReorderProposedImagesRow(TypedDict):
    """A row of ``reorder/proposed_images``: two rows per row of scan_images."""

    scan: str | None
    source: str | None
    image_id: str | None
    digest: str | None
    kind: str | None
    names: list[str] | None
    platform: str | None
    created: str | None
    store_id: str | None
    parent_id: str | None
    namespaced: list[str] | None
    stored_bytes: int | None
    media_type: str | None
    subject: str | None
    held_by: list[str] | None


def reorder_proposed_images(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderProposedImagesRow]:
    """Which images does a session hold that compares each with another order of its layers?"""
    return Question("reorder/proposed_images", {}, about)


class ReorderProposedLayersRow(TypedDict):
    """A row of ``reorder/proposed_layers``: two rows per row of scan_image_layers."""

    scan: str | None
    source: str | None
    image_id: str | None
    digest: str | None
    position: int | None
    diff_id: str | None
    layer: str | None
    chain_id: str | None
    blob: str | None
    compressed_bytes: int | None
    created_by: str | None
    state: str | None
    problem: str | None
    allocated_bytes: int | None


def reorder_proposed_layers(
    *,
    images: Sequence[str],
    positions: Sequence[int],
    proposed: Sequence[int],
    about: tuple[str, ...] = (),
) -> Question[ReorderProposedLayersRow]:
    """Which position has each layer today and in a proposed order?"""
    return Question("reorder/proposed_layers", {"images": images, "positions": positions, "proposed": proposed}, about)


class ReorderRelayerClassesRow(TypedDict):
    """A row of ``reorder/relayer_classes``: one row per set of images that alone show some file."""

    images: list[int]
    files: int
    bytes: int
    folders: list[str]


def reorder_relayer_classes(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderRelayerClassesRow]:
    """Which sets of images show the same files?"""
    return Question("reorder/relayer_classes", {}, about)


class ReorderRelayerImagesRow(TypedDict):
    """A row of ``reorder/relayer_images``: one row per image; cache images and incomplete ones are left out."""

    number: int
    image_id: str
    name: str
    layers: int
    content_bytes: int
    bottom_chain: str | None


def reorder_relayer_images(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderRelayerImagesRow]:
    """Which images does a search for other layers consider, and how large is each today?"""
    return Question("reorder/relayer_images", {}, about)


class ReorderRelayerTotalsRow(TypedDict):
    """A row of ``reorder/relayer_totals``: one row."""

    unpacked_bytes: int


def reorder_relayer_totals(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderRelayerTotalsRow]:
    """How many unpacked bytes do the images of a search for other layers hold today?"""
    return Question("reorder/relayer_totals", {}, about)


class ReorderStepRepeatsRow(TypedDict):
    """A row of ``reorder/step_repeats``: one row per chain node of the same class as a layer of such an image."""

    image: str
    images: int
    position: int
    created_by: str | None
    base: str
    base_position: int
    built_on_base: int
    saves_bytes: int
    brings_bytes: int
    in_the_way: int
    reason: str
    chain_id: str
    image_id: str


def reorder_step_repeats(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderStepRepeatsRow]:
    """Which build steps repeat a step of an image that other images are built on?"""
    return Question("reorder/step_repeats", {}, about)


class ReorderTagStepsRow(TypedDict):
    """A row of ``reorder/tag_steps``: one row per (tag series, platform, two consecutive images); incomplete images are left out."""

    series: str
    platform: str
    step: int
    from_image: str
    to_image: str
    from_name: str
    to_name: str
    to_bytes: int
    download_bytes: int


def reorder_tag_steps(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderTagStepsRow]:
    """Which image followed which in each tag series, and how many bytes were pulled for it?"""
    return Question("reorder/tag_steps", {}, about)


class ReorderViewEntriesRow(TypedDict):
    """A row of ``reorder/view_entries``: one row per path that is visible in either order; the session holds one image in both orders."""

    same: bool
    kind: str
    position: int | None
    proposed_position: int | None
    mtime_ns: int | None
    proposed_mtime_ns: int | None
    path: str


def reorder_view_entries(
    *,
    about: tuple[str, ...] = (),
) -> Question[ReorderViewEntriesRow]:
    """Which paths does an image show today and in another order of its layers?"""
    return Question("reorder/view_entries", {}, about)


class ReorderViewProofRow(TypedDict):
    """A row of ``reorder/view_proof``: one row per image; the session holds each image in both orders."""

    image_id: str
    paths: int
    today_hash: str
    proposed_hash: str
    folder_mtimes: int


def reorder_view_proof(
    *,
    grade: str,
    about: tuple[str, ...] = (),
) -> Question[ReorderViewProofRow]:
    """Does each image show the same in another order of its layers?"""
    return Question("reorder/view_proof", {"grade": grade}, about)


class ScanRow(TypedDict):
    """A row of ``scan``: one row."""

    scan: str
    started: float
    finished: float
    layers_read: int
    layers_reused: int
    version: str


def scan(
    *,
    about: tuple[str, ...] = (),
) -> Question[ScanRow]:
    """Which scan is the last that the view considers?"""
    return Question("scan", {}, about)


class ScanSizeRow(TypedDict):
    """A row of ``scan_size``: one row."""

    layers: int
    entries: int


def scan_size(
    *,
    about: tuple[str, ...] = (),
) -> Question[ScanSizeRow]:
    """How many layers and entries does this scan cover?"""
    return Question("scan_size", {}, about)


class ShadowedFilesRow(TypedDict):
    """A row of ``shadowed_files``: one row per (hiding chain ID, file)."""

    image: str
    images: int
    path: str
    size_bytes: int
    cause: str | None
    added_position: int
    added_by: str | None
    hidden_position: int
    hidden_by: str | None
    changed_fields: list[str] | None


def shadowed_files(
    *,
    most: int | None,
    sort: str,
    about: tuple[str, ...] = (),
) -> Question[ShadowedFilesRow]:
    """Which files are shadowed, and which build steps added and hid them?"""
    return Question("shadowed_files", {"most": most, "sort": sort}, about)


class SourcesRow(TypedDict):
    """A row of ``sources``: one row per source."""

    location: str
    kind: str
    images: int
    stored_bytes: int
    orphan_bytes: int | None
    unseen_references: str | None
    allocated_bytes: int | None
    other_bytes: int | None
    listed_layers: int
    unopened_layers: int
    scan: str
    scanned: str
    stale_since: str | None


def sources(
    *,
    about: tuple[str, ...] = (),
) -> Question[SourcesRow]:
    """Which sources did the scan read, and how many bytes has each?"""
    return Question("sources", {}, about)


class TotalsRow(TypedDict):
    """A row of ``totals``: one row."""

    images: int
    cache_images: int
    incomplete_images: int
    layers: int
    entries: int
    files: int
    stored_bytes: int
    compressed_bytes: int
    layer_bytes: int
    unpacked_bytes: int
    naive_bytes: int
    live_bytes: int | None
    shadowed_bytes: int | None
    efficiency: float | None
    cow_savings_bytes: int
    position_loss_bytes: int
    unshared_bytes: int
    unique_content_bytes: int | None
    duplicate_content_bytes: int | None
    dead_bytes: int
    orphan_bytes: int | None


def totals(
    *,
    about: tuple[str, ...] = (),
) -> Question[TotalsRow]:
    """How many bytes does the whole scan hold, and how many does sharing save?"""
    return Question("totals", {}, about)


class TreeRow(TypedDict):
    """A row of ``tree``: one row per chain ID."""

    chain_id: str
    parent: str | None
    position: int
    diff_id: str | None
    content_bytes: int | None
    images: int
    created_by: str | None
    ends: list[str]


def tree(
    *,
    about: tuple[str, ...] = (),
) -> Question[TreeRow]:
    """Which layers do images share, from the base up?"""
    return Question("tree", {}, about)


class TreemapRow(TypedDict):
    """A row of ``treemap``: one row per (image, position, folder)."""

    image_id: str
    position: int
    images: int
    created_by: str | None
    folder: str | None
    size_bytes: int
    shadowed_bytes: int


def treemap(
    *,
    images: int,
    folders: int,
    about: tuple[str, ...] = (),
) -> Question[TreemapRow]:
    """How many bytes has each folder of each layer of the costliest images?"""
    return Question("treemap", {"images": images, "folders": folders}, about)


class TrendRow(TypedDict):
    """A row of ``trend``: one row per scan, oldest first."""

    scan: str
    finished: datetime
    sources: int
    scanned: int
    images: int
    incomplete_images: int
    layers: int
    stored_bytes: int
    unpacked_bytes: int
    layer_bytes: int
    position_loss_bytes: int
    growth_bytes: int | None


def trend(
    *,
    about: tuple[str, ...] = (),
) -> Question[TrendRow]:
    """How have the stores grown over all scans that the catalog keeps?"""
    return Question("trend", {}, about)


class TrendRepositoriesRow(TypedDict):
    """A row of ``trend_repositories``: one row per (scan, repository); oldest scan first. Images without a name are left out."""

    scan: str
    finished: datetime
    repository: str
    images: int
    incomplete_images: int
    unpacked_bytes: int
    growth_bytes: int | None


def trend_repositories(
    *,
    about: tuple[str, ...] = (),
) -> Question[TrendRepositoriesRow]:
    """How has each repository grown over all scans that the catalog keeps?"""
    return Question("trend_repositories", {}, about)


class UsageBasesRow(TypedDict):
    """A row of ``usage/bases``: one row per image whose chain starts with the whole of another image."""

    image: str
    base: str
    base_images: int
    base_layers: int
    layers: int
    shared_bytes: int | None
    added_bytes: int | None
    image_id: str
    base_chain: str


def usage_bases(
    *,
    about: tuple[str, ...] = (),
) -> Question[UsageBasesRow]:
    """Which images are built on another image, and what do they share with it?"""
    return Question("usage/bases", {}, about)


class UsageGroupsRow(TypedDict):
    """A row of ``usage/groups``: one row per group, one for units of several groups, one for unreferenced bytes, and one for other bytes of blobs and archives, if there are any."""

    kind: str
    name: str
    images: int
    artifacts: int
    incomplete_images: int
    referenced_compressed: int | None
    exclusive_compressed: int | None
    shared_compressed: int | None
    attributed_compressed: int | None
    referenced_unpacked: int | None
    exclusive_unpacked: int | None
    shared_unpacked: int | None
    attributed_unpacked: int | None
    referenced_content: int | None
    exclusive_content: int | None
    shared_content: int | None
    attributed_content: int | None
    dead_bytes: int | None


def usage_groups(
    *,
    by: str,
    globs: Sequence[str],
    granularity: str,
    about: tuple[str, ...] = (),
) -> Question[UsageGroupsRow]:
    """How many bytes does each group of images use, so that the rows add up to the whole store?"""
    return Question("usage/groups", {"by": by, "globs": globs, "granularity": granularity}, about)


class UsageLayersRow(TypedDict):
    """A row of ``usage/layers``: one row per layer that some image references, one for contents that several layers hold, one for unreferenced bytes; one for documents and artifacts, and one for other bytes of blobs and archives, if there are any."""

    kind: str
    name: str
    created_by: str | None
    images: int
    unread: bool
    referenced_compressed: int | None
    exclusive_compressed: int | None
    shared_compressed: int | None
    attributed_compressed: int | None
    referenced_unpacked: int | None
    exclusive_unpacked: int | None
    shared_unpacked: int | None
    attributed_unpacked: int | None
    referenced_content: int | None
    exclusive_content: int | None
    shared_content: int | None
    attributed_content: int | None
    dead_bytes: int | None


def usage_layers(
    *,
    granularity: str,
    about: tuple[str, ...] = (),
) -> Question[UsageLayersRow]:
    """How many bytes does each layer use, so that the rows add up to the whole store?"""
    return Question("usage/layers", {"granularity": granularity}, about)


class UsagePositionsRow(TypedDict):
    """A row of ``usage/positions``: one row per copy (chain ID) of a layer that has several; position_loss_bytes add up to the figure of the scan."""

    diff_id: str
    created_by: str | None
    copy: int
    copies: int
    position_loss_bytes: int
    position: int
    split_at: int | None
    split_by: str | None
    split_diff_id: str | None
    images: int
    image_names: list[str]
    parent: str | None
    chain_id: str


def usage_positions(
    *,
    about: tuple[str, ...] = (),
) -> Question[UsagePositionsRow]:
    """Which layers are stored several times because their copies have different parents?"""
    return Question("usage/positions", {}, about)


class UsageTwinGroupsRow(TypedDict):
    """A row of ``usage/twin_groups``: one row per group of images that pairs of near twins connect, directly or through other images, if they have contents in common that their layers do not share."""

    images: int
    gain_bytes: int
    saved_bytes: int
    common_bytes: int
    sharing_bytes: int
    image_names: list[str]
    image_id: str


def usage_twin_groups(
    *,
    image_ids: Sequence[str],
    twin_ids: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[UsageTwinGroupsRow]:
    """Which groups of images are near twins, and how much would each group share on one base?"""
    return Question("usage/twin_groups", {"image_ids": image_ids, "twin_ids": twin_ids}, about)


class UsageTwinsRow(TypedDict):
    """A row of ``usage/twins``: one row per pair of images with at least this similarity and gain."""

    image: str
    twin: str
    similarity: float
    common_bytes: int
    sharing_bytes: int
    gain_bytes: int
    shared_layers: int
    image_id: str
    twin_id: str


def usage_twins(
    *,
    similarity: float,
    gain_bytes: int,
    widest: int,
    about: tuple[str, ...] = (),
) -> Question[UsageTwinsRow]:
    """Which pairs of images hold nearly the same contents but share few layers?"""
    return Question("usage/twins", {"similarity": similarity, "gain_bytes": gain_bytes, "widest": widest}, about)


class WhatIfArtifactsRow(TypedDict):
    """A row of ``what_if/artifacts``: one row per (source, artifact)."""

    source: str
    kind: str
    chosen: bool
    type: str
    artifact_id: str
    name: str
    names: list[str]
    media_type: str | None
    stored_bytes: int | None
    others: list[str]


def what_if_artifacts(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfArtifactsRow]:
    """Which artifacts are deleted, alone or with these images, and what else do their sources hold?"""
    return Question("what_if/artifacts", {"images": images}, about)


class WhatIfCollectedRow(TypedDict):
    """A row of ``what_if/collected``: one row per registry on a disk."""

    source: str
    images: int
    collected_bytes: int | None
    orphan_bytes: int | None


def what_if_collected(
    *,
    about: tuple[str, ...] = (),
) -> Question[WhatIfCollectedRow]:
    """How many bytes does "registry garbage-collect -m" free in each registry?"""
    return Question("what_if/collected", {}, about)


class WhatIfContainersRow(TypedDict):
    """A row of ``what_if/containers``: one row per container."""

    source: str
    container_id: str
    name: str | None
    running: bool | None
    image_id: str
    image: str


def what_if_containers(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfContainersRow]:
    """Which containers prevent deleting these images?"""
    return Question("what_if/containers", {"images": images}, about)


class WhatIfDatesRow(TypedDict):
    """A row of ``what_if/dates``: one row per image; cache images that are deleted along with another are left out."""

    image_id: str
    name: str
    created: str | None
    time: datetime | None
    doubt: str | None
    dangling: bool
    untagged: bool
    unused: bool


def what_if_dates(
    *,
    now: datetime,
    about: tuple[str, ...] = (),
) -> Question[WhatIfDatesRow]:
    """When was each image created, if its date is plausible, and which options choose it?"""
    return Question("what_if/dates", {"now": now}, about)


class WhatIfDiskRow(TypedDict):
    """A row of ``what_if/disk``: one row per source that holds one of the images."""

    source: str
    kind: str
    measured: bool
    freed_bytes: int
    held_bytes: int
    kept_bytes: int
    unknown_units: int


def what_if_disk(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfDiskRow]:
    """How many bytes does the disk give back in each source if exactly these images are deleted?"""
    return Question("what_if/disk", {"images": images}, about)


class WhatIfFreedRow(TypedDict):
    """A row of ``what_if/freed``: one row per granularity."""

    granularity: str
    total_bytes: int | None
    freed_bytes: int | None
    unknown_units: int
    total_unknown_units: int
    kept_bytes: int | None
    remaining_bytes: int | None


def what_if_freed(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfFreedRow]:
    """How many bytes does deleting exactly these images free?"""
    return Question("what_if/freed", {"images": images}, about)


class WhatIfHeldRow(TypedDict):
    """A row of ``what_if/held``: one row per source and set of what keeps places."""

    source: str
    kinds: list[str]
    holders: list[str]
    count: int
    releases: list[str]
    released: bool
    bytes: int


def what_if_held(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfHeldRow]:
    """What stays on disk although all images that need it are deleted, what keeps it, and which commands release it?"""
    return Question("what_if/held", {"images": images}, about)


class WhatIfImagesRow(TypedDict):
    """A row of ``what_if/images``: one row per image."""

    image_id: str
    name: str
    names: list[str]
    created: str | None
    complete: bool
    disk_bytes: int
    exclusive_bytes: int | None
    containers: int


def what_if_images(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfImagesRow]:
    """Which images would be deleted, with which names, and how much does each free alone?"""
    return Question("what_if/images", {"images": images}, about)


class WhatIfLayersRow(TypedDict):
    """A row of ``what_if/layers``: one row per chain node that one of the images contains."""

    freed: bool
    diff_id: str
    chain_id: str
    position: int
    content_bytes: int | None
    blob_stays: bool
    kept_by_images: int
    kept_by: list[str]
    created_by: str | None


def what_if_layers(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfLayersRow]:
    """Which layers of these images would be freed, which stay, and which images keep them?"""
    return Question("what_if/layers", {"images": images}, about)


class WhatIfOrphansRow(TypedDict):
    """A row of ``what_if/orphans``: one row per source and command; sources without such places are left out, unless what is unreferenced is unknown."""

    source: str
    kind: str
    places: int | None
    bytes: int | None
    oldest: datetime | None
    newest: datetime | None
    paths: list[str]
    command: list[str]
    unseen_references: str | None


def what_if_orphans(
    *,
    before: float | None,
    about: tuple[str, ...] = (),
) -> Question[WhatIfOrphansRow]:
    """What does the disk give back in each source if all that nothing references is removed?"""
    return Question("what_if/orphans", {"before": before}, about)


class WhatIfPlacesRow(TypedDict):
    """A row of ``what_if/places``: one row per (source, image), children before their recorded parents."""

    source: str
    kind: str
    image_id: str
    names: list[str]
    digests: list[str]
    store_ids: list[str]
    namespaced: list[str]
    driver: str | None
    depth: int
    goes_along: bool
    others: list[str]


def what_if_places(
    *,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfPlacesRow]:
    """Which sources hold these images, with which names, and what else do those sources hold?"""
    return Question("what_if/places", {"images": images}, about)


class WhatIfUnitsRow(TypedDict):
    """A row of ``what_if/units``: one row per set of images."""

    images: list[str]
    bytes: int


def what_if_units(
    *,
    granularity: str,
    images: Sequence[str],
    about: tuple[str, ...] = (),
) -> Question[WhatIfUnitsRow]:
    """Which sets of images alone reference some units, and how many bytes are these?"""
    return Question("what_if/units", {"granularity": granularity, "images": images}, about)
