"""What each kind of finding is, in the words of docs/findings.md."""

#: kind -> (what it is, what mending it wins)
KINDS = {
    "copy-up": (
        "the same content again above, with other metadata (`fields`): a chmod, chown or touch "
        "copied the files up",
        "the copies below, where no other image reads them",
    ),
    "rewritten": ("other content at the same path above", "the files below"),
    "written-again": (
        "the same content and metadata again: base files added once more",
        "the copies below",
    ),
    "deleted-later": (
        "a later layer deletes the files, by a whiteout or an opaque directory",
        "the files",
    ),
    "replaced": ("the path, or a directory above it, became another kind of file", "the files"),
    "twice-in-layer": ("a layer's own tar holds the path twice", "the first copy"),
    "same-but-timestamps": (
        "layers that differ in modification times only: an unreproducible build",
        "all but one of the layers",
    ),
    "package-cache": (
        "caches and lists of a package manager that containers still see",
        "the files",
    ),
    "position-loss": (
        "one layer on several parents, so that unpacked stores keep it again",
        "all but one copy",
    ),
    "folder-again": (
        "a whole folder of a megabyte or more in several layers or places, none of them hidden",
        "all but one copy",
    ),
}
