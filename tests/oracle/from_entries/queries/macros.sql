-- Macros that several queries share.
-- The linter does not know macros: it reports the indentation of their bodies, and takes their
-- parameters for types.
-- noqa: disable=LT02,CP05,RF03

-- Every ancestor of a path, with the root '': 'a/b/c' -> ['', 'a', 'a/b']. The root has none.
CREATE MACRO ancestors_of(path) AS
    CASE
        WHEN path = '' THEN []::VARCHAR[]
        ELSE list_transform(
            range(len(string_split(path, '/'))),
            lambda n: array_to_string(string_split(path, '/')[1:n], '/')
        )
    END;

-- The directory of a path; null for the root.
CREATE MACRO parent_of(path) AS
    CASE
        WHEN path = '' THEN NULL
        WHEN contains(path, '/') THEN regexp_replace(path, '/[^/]*$', '')
        ELSE ''
    END;

-- The bytes of a path from its printable form.
CREATE MACRO path_bytes(path) AS
    unhex(array_to_string(list_transform(
        regexp_extract_all(path, '\\\\|\\x[0-9a-f]{2}|[^\\]+'),
        lambda piece: CASE
            WHEN piece = '\\' THEN '5c'
            WHEN piece[1] = '\' THEN piece[3:4]
            ELSE hex(encode(piece))
        END
    ), ''));

-- Whiteouts and opaque marks hide entries of lower layers. They are not entries themselves.
CREATE MACRO is_mark(kind) AS kind IN ('whiteout', 'opaque');

-- The directories that a mark needs, with the root: those above a whiteout's path, and an opaque
-- mark's own too.
CREATE MACRO mark_folders_of(kind, path) AS
    list_concat(ancestors_of(path), CASE WHEN kind = 'opaque' THEN [path] ELSE [] END);

-- The rule by which an entry or mark hides the same path in lower layers; null if it does not.
CREATE MACRO rule_at(kind) AS
    CASE kind WHEN 'whiteout' THEN 'whiteout' WHEN 'opaque' THEN NULL ELSE 'same' END;

-- The rule by which it hides every path below it in lower layers; null for a directory, which is
-- merged with lower ones.
CREATE MACRO rule_below(kind) AS
    CASE kind
        WHEN 'directory' THEN NULL
        WHEN 'whiteout' THEN 'below-whiteout'
        WHEN 'opaque' THEN 'below-opaque'
        ELSE 'below-other'
    END;

-- The order of rules if one layer hides a path by several: an entry of the same path, a whiteout of
-- it, an ancestor (of several the nearest), an entry below it that implies a directory.
CREATE MACRO rule_rank(rule) AS
    CASE rule WHEN 'same' THEN 1 WHEN 'whiteout' THEN 2 WHEN 'implied' THEN 4 ELSE 3 END;

-- The cause of a rule; an entry of the same path is compared to find more.
CREATE MACRO rule_cause(rule) AS
    CASE
        WHEN rule IN ('whiteout', 'below-whiteout') THEN 'deleted'
        WHEN rule = 'below-opaque' THEN 'opaque'
        ELSE 'replaced'
    END;

-- Whether the metadata of a directory differs from that of a directory that overlay makes because a
-- layer implies it: 0755, owned by root, no xattrs.
CREATE MACRO is_unlike_implied(mode, uid, gid, xattrs) AS
    mode <> 493 OR uid <> 0 OR gid <> 0 OR xattrs IS NOT NULL;

-- What our view shows of a case in which unpackers differ, and what they show; '' for other cases.
-- "Copying" are the unpackers that write all layers into one folder: umoci, vfs, native snapshots.
CREATE MACRO views_of(case_name) AS
    coalesce(
        CASE case_name
            WHEN 'through-own-symlink'
                THEN 'here, and for all if the layer has the folder behind its symlink: written '
                    || 'there; else overlay refuses'
            WHEN 'symlink-loop' THEN 'here: a folder in place of the symlink; all refuse the layer'
            WHEN 'link-below-itself'
                THEN 'here: a name of its target; unpackers delete the target first and refuse'
            WHEN 'link-metadata'
                THEN 'here and umoci: metadata of the first name; docker and podman: of the last'
            WHEN 'root-not-directory' THEN 'here: ignored, as by overlay; copying refuse the layer'
            WHEN 'whiteout-with-marks-below'
                THEN 'here: deleted; copying: depends on their order; overlay may refuse'
            WHEN 'entry-below-file' THEN 'here: a folder with the later entry; all refuse the layer'
            WHEN 'directory-replaced'
                THEN 'here and umoci: the later entry in its place; docker and podman refuse the '
                    || 'layer'
            WHEN 'through-symlink'
                THEN 'here: entries in a folder that replaces the lower symlink, as by overlay, '
                    || 'marks and hard links without effect; copying: all behind the symlink'
            WHEN 'implied-over-file'
                THEN 'here and overlay: a folder in place of the lower file; copying refuse the '
                    || 'layer'
            WHEN 'mark-below-file'
                THEN 'here and umoci: the lower file stays; overlay: an empty folder'
            WHEN 'implied-metadata'
                THEN 'here and copying: mode and owner of the lower folder; overlay: 0755 root'
            WHEN 'mark-in-nothing'
                THEN 'here, and for all but umoci: an empty folder'
        END,
        ''
    );

-- The message about an entry that unpackers treat in different ways.
CREATE MACRO divergence_text(cases, path) AS
    cases || ': ' || path || coalesce(
        ' (' || nullif(array_to_string(
            list_filter(
                list_transform(string_split(cases, ','), lambda name: views_of(name)),
                lambda views: views <> ''
            ),
            '; '
        ), '') || ')',
        ''
    );

-- Whether a quick scan listed the layer: names, sizes and metadata of its files are known, and the
-- contents of those that are not empty are not.
CREATE MACRO is_listed(layer) AS coalesce(starts_with(layer, 'listed:'), FALSE);

-- The order in which sources are believed about a layer of one image: 0 if its rows are proven to
-- be those of its diff ID, 1 if they are not, 2 if contents were not read, 3 if no rows are known.
CREATE MACRO doubt_of(layer) AS
    CASE
        WHEN layer IS NULL THEN 3
        WHEN is_listed(layer) THEN 2
        WHEN starts_with(layer, 'unverified:') THEN 1
        ELSE 0
    END;

-- Whether two regular files differ in content; null if that is not known, because a quick scan did
-- not read one of them, or overlay keeps its data elsewhere (such a file has no size). Files of
-- different sizes differ.
CREATE MACRO contents_differ(old, new) AS
    CASE
        WHEN old.content_hash IS NULL AND old.size_bytes = 0 THEN NULL
        WHEN new.content_hash IS NULL AND new.size_bytes = 0 THEN NULL
        WHEN old.size_bytes <> new.size_bytes THEN TRUE
        ELSE old.content_hash <> new.content_hash
    END;

-- The common denominator of shares: the least common multiple of 1 to 60, so that the share of a
-- unit among up to 60 images is exact.
CREATE MACRO share_scale() AS 9690712164777231700912800::HUGEINT;

-- Bytes that are divided among their holders, summed per holder: whole bytes, and the rest in parts
-- of share_scale().
CREATE MACRO whole_share(bytes, holders) AS
    sum(bytes // holders)
    + sum((bytes % holders) * (share_scale() // holders)) // share_scale();

CREATE MACRO share_rest(bytes, holders) AS
    sum((bytes % holders) * (share_scale() // holders)) % share_scale();

-- A share in whole bytes, so that the shares of a granularity add up to its total: bytes left over
-- after rounding down go to the holders with the largest rests, ties in the order of their keys.
CREATE MACRO rounded_share(whole, rest, total, granularity, key) AS
    whole
    + (
        row_number() OVER (PARTITION BY granularity ORDER BY rest DESC, key)
        <= total - sum(whole) OVER (PARTITION BY granularity)
    )::INTEGER;

-- The sum of one figure of a row of usage. Without any bytes it is 0, but for unreferenced bytes,
-- those of the rest, and what could not be read (unread), it is unknown.
CREATE MACRO usage_figure(kind, unread, bytes, figure, wanted) AS
    CASE
        WHEN unread THEN nullif(sum(bytes) FILTER (WHERE figure = wanted), 0)
        ELSE coalesce(
            sum(bytes) FILTER (WHERE figure = wanted),
            CASE WHEN kind IN ('unreferenced', 'rest') THEN NULL ELSE 0 END
        )
    END::BIGINT;

-- The package manager whose cache or package list a path belongs to; null for other files.
CREATE MACRO package_cache(path) AS
    CASE
        WHEN regexp_matches(path, '^var/lib/apt/lists/.') THEN 'apt lists'
        WHEN regexp_matches(path, '^var/cache/apt/.') THEN 'apt'
        WHEN regexp_matches(path, '(^|/)\.cache/pip/.') THEN 'pip'
        WHEN regexp_matches(path, '^(var/cache/apk/|etc/apk/cache/|lib/apk/cache/).') THEN 'apk'
        WHEN regexp_matches(path, '^var/cache/(dnf|yum|zypp)/.') THEN 'dnf'
        WHEN regexp_matches(path, '(^|/)(\.npm/_cacache|\.cache/yarn|\.yarn/cache|\.pnpm-store)/.')
            THEN 'npm'
        WHEN regexp_matches(path, '(^|/)(\.cache/go-build|go/pkg/mod/cache)/.') THEN 'go'
        WHEN regexp_matches(path, '(^|/)\.cargo/registry/(cache|index)/.') THEN 'cargo'
        WHEN regexp_matches(path, '(^|/)(\.m2/repository|\.gradle/caches)/.') THEN 'maven'
        WHEN regexp_matches(path, '(^|/)(\.gem|\.bundle/cache|\.composer/cache)/.') THEN 'gem'
        WHEN regexp_matches(path, '(^|/)\.conda/pkgs/.|(^|/)conda/pkgs/.') THEN 'conda'
    END;

-- A name without its tag and digest: 'host:5000/team/web:1.2@sha256:…' -> 'host:5000/team/web'
CREATE MACRO repository_of(name) AS
    regexp_replace(split_part(name, '@', 1), ':[^/:]*$', '');

-- A repository without its last component; '(no namespace)' if it has only one.
CREATE MACRO namespace_of(name) AS
    CASE
        WHEN contains(repository_of(name), '/')
            THEN regexp_replace(repository_of(name), '/[^/]*$', '')
        ELSE '(no namespace)'
    END;

-- Repository and tag, with each version number, date or commit in the tag replaced by a star:
-- 'web:v1.2.3-alpine' -> 'web:v*-alpine', 'web:3fa9c1d' -> 'web:*'
CREATE MACRO tag_series_of(name) AS
    repository_of(name) || coalesce(
        ':' || nullif(regexp_replace(
            regexp_replace(
                substr(split_part(name, '@', 1), len(repository_of(name)) + 2),
                '\b[0-9a-f]{7,40}\b', '*', 'g'
            ),
            '[0-9]+(?:[._][0-9]+)*', '*', 'g'
        ), ''),
        ''
    );

-- An RFC 3339 time as UTC; null if the text is not one.
CREATE MACRO utc_of(text) AS
    CASE
        WHEN regexp_full_match(
            text, '\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})'
        ) THEN
            try_cast(substr(text, 1, 19) AS TIMESTAMP) - coalesce(
                to_minutes(
                    (regexp_extract(text, '([+-])\d{2}:\d{2}$', 1) || '1')::INTEGER * (
                        60 * try_cast(regexp_extract(text, '[+-](\d{2}):\d{2}$', 1) AS INTEGER)
                        + try_cast(regexp_extract(text, '[+-]\d{2}:(\d{2})$', 1) AS INTEGER)
                    )
                ),
                to_minutes(0)
            )
    END;

-- Kind and permission bits as 'ls -l' shows them: 'drwxr-xr-x'. Without bits, question marks.
CREATE MACRO mode_text(kind, mode) AS
    CASE kind
        WHEN 'directory' THEN 'd'
        WHEN 'symlink' THEN 'l'
        WHEN 'character' THEN 'c'
        WHEN 'block' THEN 'b'
        WHEN 'fifo' THEN 'p'
        ELSE '-'
    END
    || coalesce(
        CASE WHEN mode & 256 > 0 THEN 'r' ELSE '-' END
        || CASE WHEN mode & 128 > 0 THEN 'w' ELSE '-' END
        || ['-', 'x', 'S', 's'][1 + (mode >> 6) % 2 + (mode >> 11) % 2 * 2]
        || CASE WHEN mode & 32 > 0 THEN 'r' ELSE '-' END
        || CASE WHEN mode & 16 > 0 THEN 'w' ELSE '-' END
        || ['-', 'x', 'S', 's'][1 + (mode >> 3) % 2 + (mode >> 10) % 2 * 2]
        || CASE WHEN mode & 4 > 0 THEN 'r' ELSE '-' END
        || CASE WHEN mode & 2 > 0 THEN 'w' ELSE '-' END
        || ['-', 'x', 'T', 't'][1 + mode % 2 + (mode >> 9) % 2 * 2],
        '?????????'
    );

-- The metadata in which two entries of one path differ. Directories that no layer lists have
-- unknown metadata, and unknown metadata never differs.
CREATE MACRO metadata_between(old, new) AS
    list_filter(
        [
            CASE WHEN old.mode <> new.mode THEN 'mode' END,
            CASE WHEN old.uid <> new.uid THEN 'uid' END,
            CASE WHEN old.gid <> new.gid THEN 'gid' END,
            CASE WHEN old.mtime_ns <> new.mtime_ns THEN 'mtime' END,
            CASE
                WHEN old.uid + new.uid IS NOT NULL AND old.xattrs IS DISTINCT FROM new.xattrs
                    THEN 'xattrs'
            END
        ],
        lambda name: name IS NOT NULL
    );

-- All fields in which two entries of one path differ.
CREATE MACRO fields_between(old, new) AS
    list_concat(
        list_filter(
            [
                CASE WHEN old.kind <> new.kind THEN 'kind' END,
                CASE
                    WHEN (old.kind = 'file') <> (new.kind = 'file') THEN 'content'
                    WHEN old.kind = 'file' AND contents_differ(old, new) THEN 'content'
                END,
                CASE WHEN old.link IS DISTINCT FROM new.link THEN 'link' END,
                CASE WHEN old.device IS DISTINCT FROM new.device THEN 'device' END
            ],
            lambda name: name IS NOT NULL
        ),
        metadata_between(old, new)
    );

-- Whether nothing is known of the contents of two files of one path: neither that they differ, nor
-- that they are one file of one layer.
CREATE MACRO is_not_compared(old, new) AS
    old.kind = 'file'
    AND new.kind = 'file'
    AND contents_differ(old, new) IS NULL
    AND (old.layer, old.inode_member) IS DISTINCT FROM (new.layer, new.inode_member);

-- The kind of change of a path with these differing fields.
CREATE MACRO change_of(fields) AS
    CASE
        WHEN len(fields) = 0 THEN 'unchanged'
        WHEN list_has_any(fields, ['kind', 'content', 'link', 'device']) THEN 'changed'
        ELSE 'metadata_only'
    END;

-- The numbers of a name's tag, to order a series: 'web:1.10-alpine3' -> 1, 10, 3. Each is padded to
-- the maximum length of a tag, so that text order is number order. A commit is not a number.
CREATE MACRO version_of(name) AS
    list_transform(
        list_filter(
            regexp_extract_all(
                substr(split_part(name, '@', 1), len(repository_of(name)) + 2),
                '\b[0-9a-f]{7,40}\b|[0-9]+'
            ),
            lambda word: regexp_full_match(word, '[0-9]+')
        ),
        lambda word: lpad(word, 128, '0')
    );

-- A build step with each version number and hash replaced by a star, so that two releases of one
-- build file have equal steps.
CREATE MACRO step_series_of(created_by) AS
    regexp_replace(
        regexp_replace(coalesce(created_by, ''), '\b[0-9a-f]{7,64}\b', '*', 'g'),
        '[0-9]+(?:[._][0-9]+)*',
        '*',
        'g'
    );

-- The relation node, and whether each is of an image's own layers. Base layers are not: the layers
-- of base images, in their place, and other layers by their keys, at any position. The relations
-- are named by the query, since they are made after the macros.
CREATE MACRO own_nodes(node, stack, base_images, base_layers) AS TABLE
    SELECT
        nodes.*,
        NOT coalesce(list_contains(base_layers, nodes.layer), FALSE)
        AND nodes.chain_id NOT IN (
            SELECT stacks.chain_id
            FROM query_table(stack) AS stacks
            WHERE list_contains(base_images, stacks.image_id)
        ) AS is_own
    FROM query_table(node) AS nodes;

-- Whether a shadowed file counts: of own layers, of own layers above the lowest ('upper'), or of
-- base layers if an own layer hides it ('base').
CREATE MACRO counts_as(which_files, added, hider) AS
    CASE which_files
        WHEN 'base' THEN hider.is_own AND NOT added.is_own
        WHEN 'upper' THEN added.is_own AND added.position > 0
        ELSE added.is_own
    END;

-- Each path of two merged views, with what changed from the old image to the new one. The relation
-- visible is named by the query, since it is made after the macros.
CREATE MACRO view_changes(visible, old_image, new_image) AS TABLE
    WITH old_view AS (
        SELECT * FROM query_table(visible) WHERE image_id = old_image
    ),

    new_view AS (
        SELECT * FROM query_table(visible) WHERE image_id = new_image
    ),

    pairs AS (
        SELECT
            coalesce(old.path, new.path) AS path,
            coalesce(new.kind, old.kind) AS kind,
            old.size_bytes AS old_bytes,
            new.size_bytes AS new_bytes,
            old.position AS old_position,
            new.position AS new_position,
            old.path IS NULL AS is_added,
            new.path IS NULL AS is_removed,
            coalesce(is_not_compared(old, new), FALSE) AS is_unknown,
            CASE
                WHEN old.path IS NULL OR new.path IS NULL THEN [] ELSE fields_between(old, new)
            END AS fields
        FROM old_view AS old
        FULL JOIN new_view AS new ON new.path = old.path
    )

    SELECT
        * EXCLUDE (is_added, is_removed, is_unknown, fields),
        if(is_unknown, NULL, fields) AS fields,
        CASE
            WHEN is_added THEN 'added'
            WHEN is_removed THEN 'removed'
            WHEN is_unknown THEN NULL
            ELSE change_of(fields)
        END AS change
    FROM pairs;

-- A time in seconds since 1970 as text, in UTC and to the second.
CREATE MACRO utc_text(seconds) AS
    strftime(make_timestamp((seconds * 1000000)::BIGINT), '%Y-%m-%dT%H:%M:%SZ');

-- Whether a source is at a place that a scan was given, or below it.
CREATE MACRO is_at_or_below(source, place) AS
    (source = place OR starts_with(source, rtrim(place, '/') || '/'));

-- The absolute path of a place of a source.
CREATE MACRO place_in(source, path) AS
    CASE WHEN path = '' THEN source ELSE rtrim(source, '/') || '/' || path END;

-- The rows that answered for each source at a scan, if it was in the view then: a source that is
-- neither in the view now nor known to be gone was not asked about. The relation span is named by
-- the query, since it is made after the macros.
CREATE MACRO answering_at(span, at_scan) AS TABLE
    SELECT before.source, before.scan
    FROM query_table(span) AS before
    LEFT JOIN scans ON scans.scan = before.until
    WHERE
        before.scan <= at_scan
        AND (before.until IS NULL OR before.until > at_scan)
        AND (
            before.source IN (SELECT source FROM scan_sources)
            OR (
                coalesce(list_contains(scans.gone, before.source), FALSE)
                AND before.source IN (SELECT source FROM view_scope)
            )
        );

-- Names that are tags; the others are digests of repositories without a tag.
CREATE MACRO tags_in(names) AS list_filter(names, lambda name: NOT contains(name, '@'));

-- Whether a holder is an image, or an artifact that has a digest.
CREATE MACRO needs_as_image(kind, name) AS
    kind = 'image' OR (kind = 'artifact' AND regexp_matches(name, '^sha(256|512):'));

-- Whether a holder of a place is not an image, but KIND:NAME, such as container:web.
CREATE MACRO is_other_holder(holder) AS
    regexp_matches(holder, '^(artifact|container|build-cache|lease|record):');

-- A command for a POSIX shell, quoted where needed; null for none.
CREATE MACRO shell_text(words) AS
    array_to_string(
        list_transform(
            words,
            lambda word: CASE
                WHEN regexp_full_match(word, '[A-Za-z0-9_@%+=:,./-]+') THEN word
                ELSE '''' || replace(word, '''', '''"''"''') || ''''
            END
        ),
        ' '
    );
