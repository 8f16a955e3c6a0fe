"""What to do about a problem of a scan, in the words of docs/problems.md."""

#: codes, and what to do about them
_BY_CODES = {
    "no-such-source": "check its name; if you used a wildcard, it matched no file",
    "nothing-found": (
        "name the store's own folder, or the target of a link; docs/sources.md lists what is read"
    ),
    "permission-denied": (
        "scan as the owner of the store: `sudo dedupe scan …` for stores of the system"
    ),
    "not-a-regular-file not-a-folder": "name the place that the link points to",
    "unreadable": "check the disk, then scan again",
    "empty-file unknown-format": (
        "pass an image archive or a store (docs/sources.md); if this is one, make it again"
    ),
    "unsupported-store unreadable-driver": (
        "save its images as an archive or OCI layout (`skopeo copy`), and scan that"
    ),
    (
        "not-json bad-document bad-descriptor bad-digest bad-media-type bad-config bad-record "
        "document-too-large"
    ): "pull or push the image again; other images are not affected",
    "ambiguous-document": "treat the image as hostile; build it again",
    "metadata-database": (
        "find unused tags with GitLab, whose garbage collection deletes what they leave"
    ),
    "names-missing": (
        "scan the folder that has `repositories` too; with a metadata database nothing else can "
        "be read"
    ),
    "bad-link": "push the tag again",
    "bad-address": (
        "use `s3://bucket/prefix`; credentials and endpoint are those of other S3 tools "
        "(docs/sources.md)"
    ),
    "too-many-objects": "give a longer prefix",
    "index-too-deep index-cycle": "treat the index as hostile; scan its images one by one",
    "bolt-damaged bolt-too-large": (
        "scan again while containerd is idle; if it happens again, containerd needs a fix"
    ),
    "bolt-changing": "scan again when fewer images are being pulled",
    "snapshot-missing layer-missing": (
        "scan the store that it is borrowed from too; otherwise remove the container or image"
    ),
    "layer-incomplete layer-cycle": "remove the image and pull it again",
    "split-unusable": "nothing; its rows count as not verified",
    "older-reader": "scan its source again; layers of older readers are not reused",
    "schema1": "pull and push it with a newer client",
    "layer-count-mismatch": "treat it as hostile; build it again",
    "blob-missing": (
        "pull or push the image again; save an archive again with `--platform`, or after pulling "
        "all platforms; a pull-through cache gets the blob with the next pull"
    ),
    "index-missing": (
        "scan the folder with the index.json of these blobs; if layouts share them, scan the "
        "layouts with `--blobs DIR`"
    ),
    "blob-elsewhere": "scan the whole bucket or folder of zot",
    "link-refused": "name the folder with `--also DIR` if you trust it",
    "size-mismatch digest-mismatch diff-id-mismatch": (
        "the blob is damaged or forged: remove it and pull again"
    ),
    "duplicate-member link-outside archive-order archive-truncated": "save the archive again",
    (
        "gzip-truncated zstd-truncated xz-truncated bzip2-truncated blob-truncated tar-truncated"
    ): "pull the image again",
    (
        "gzip-damaged zstd-damaged xz-damaged bzip2-damaged unknown-compression layer-too-large"
    ): "pull the image again",
    (
        "not-a-tar tar-bad-checksum tar-lone-zero-block tar-bad-number tar-negative-size"
        " tar-bad-pax tar-pax-too-large tar-bad-sparse tar-too-many-members"
    ): "build the image again; if it happens again, with another tool",
    "worker-died internal-error": "scan again with `--jobs 1`; report it if it happens again",
}

#: code -> what to do; notes that need nothing done are left out
FIXES = {code: text for codes, text in _BY_CODES.items() for code in codes.split()}
