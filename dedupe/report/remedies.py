"""What to do about a problem of a scan, in the words of docs/problems.md."""

#: codes, and what to do about them
_ROWS = (
    (
        "no-such-source",
        "check its name; a glob that fits nothing is passed on as it is by the shell",
    ),
    (
        "permission-denied",
        "scan as the owner of the store: `sudo dedupe scan …` for stores of the system",
    ),
    (
        "not-a-regular-file not-a-folder",
        "name the place that the link leads to",
    ),
    (
        "unreadable",
        "look at the disk, then scan again",
    ),
    (
        "empty-file unknown-format",
        (
            "name an archive or a store (docs/sources.md); make the archive again if it should be"
            " one"
        ),
    ),
    (
        "unsupported-store unreadable-driver",
        "save its images as an archive or OCI layout (`skopeo copy`), and scan that",
    ),
    (
        (
            "not-json bad-document bad-descriptor bad-digest bad-config bad-record"
            " document-too-large"
        ),
        "pull or push the image again; other images are not concerned",
    ),
    (
        "ambiguous-document",
        "treat the image as hostile; build it again",
    ),
    (
        "bad-link",
        "push the tag again",
    ),
    (
        "bad-address",
        ("`s3://bucket/prefix`; credentials and endpoint as for other S3 tools (docs/sources.md)"),
    ),
    (
        "too-many-objects",
        "name a longer prefix",
    ),
    (
        "index-too-deep index-cycle",
        "treat the index as hostile; name its images one by one",
    ),
    (
        "bolt-damaged bolt-too-large",
        "scan again while containerd is quiet; else mend containerd",
    ),
    (
        "bolt-changing",
        "scan again when fewer images are pulled",
    ),
    (
        "snapshot-missing layer-missing",
        "scan the store that it is borrowed from too; else remove the container or image",
    ),
    (
        "layer-incomplete layer-cycle",
        "remove the image and pull it again",
    ),
    (
        "split-unusable",
        "nothing; its rows count as not verified",
    ),
    (
        "schema1",
        "pull and push it with a newer client",
    ),
    (
        "layer-count-mismatch",
        "treat it as hostile; build it again",
    ),
    (
        "blob-missing",
        "pull or push the image again; in a pull-through cache it comes with the next pull",
    ),
    (
        "size-mismatch digest-mismatch diff-id-mismatch",
        "the blob is damaged or forged: remove it and pull again",
    ),
    (
        "duplicate-member link-outside archive-order archive-truncated",
        "save the archive again",
    ),
    (
        ("gzip-truncated zstd-truncated xz-truncated bzip2-truncated blob-truncated tar-truncated"),
        "pull the image again",
    ),
    (
        ("gzip-damaged zstd-damaged xz-damaged bzip2-damaged unknown-compression layer-too-large"),
        "pull the image again",
    ),
    (
        (
            "not-a-tar tar-bad-checksum tar-lone-zero-block tar-bad-number tar-negative-size"
            " tar-bad-pax tar-pax-too-large tar-bad-sparse tar-too-many-members"
        ),
        "build the image again, with another tool if it comes back",
    ),
    (
        "worker-died internal-error",
        "scan again with `--jobs 1`; report it if it stays",
    ),
)

#: code -> what to do; notes, about which there is nothing to do, are not there
REMEDIES = {code: text for codes, text in _ROWS for code in codes.split()}
