-- Question: Which of the new layers hold the same entries, with and without their timestamps?
-- Grain:    one row per layer that has as many files and bytes as another
-- Params:   none
-- Columns:  rows_id      UUID  the layer's rows
--           description  UUID  equal for layers whose entries agree in all but mtimes; null without
--                              entries
--           exact        UUID  equal for layers whose entries agree in all, mtimes too
-- Source:   docs/measures.md, "The same but for timestamps", "The same but for their encoding"
--
-- Most entries of a folder have one kind, mode and owner, so these are written once and not for
-- each entry, and names are sorted within their folder only. No name, target or attribute holds a
-- control character: paths are in printable form.
WITH looking AS (
    SELECT
        new_twin.rows_id,
        parse_dirpath(item.path, 'forward_slash') AS folder,
        item.kind,
        item.mode,
        item.uid,
        item.gid,
        item.xattrs,
        item.device,
        item.mtime_ns,
        struct_pack(
            look := concat(
                parse_filename(item.path, FALSE, 'forward_slash'),
                chr(1),
                coalesce(base64(item.content_hash), chr(1) || item.link)
            ),
            mtime_ns := item.mtime_ns
        ) AS entry
    FROM item
    JOIN new_twin USING (layer)
),

grouped AS (
    SELECT
        rows_id,
        concat_ws(
            chr(1),
            folder,
            kind,
            coalesce(mode::VARCHAR, ''),
            coalesce(uid::VARCHAR, ''),
            coalesce(gid::VARCHAR, ''),
            coalesce(xattrs, chr(2)),
            coalesce(device, chr(2))
        ) AS metadata,
        min(mtime_ns) AS first_mtime,
        max(mtime_ns) AS last_mtime,
        list_sort(list(entry)) AS members
    FROM looking
    GROUP BY rows_id, folder, kind, mode, uid, gid, xattrs, device
),

texts AS (
    -- The linter takes the parameters of a lambda for columns of a table.
    -- noqa: disable=LT02,RF03
    SELECT
        rows_id,
        metadata,
        array_to_string(list_transform(members, lambda entry: entry.look), chr(2)) AS looks,
        CASE
            WHEN first_mtime = last_mtime THEN first_mtime::VARCHAR
            ELSE array_to_string(
                list_transform(members, lambda entry: coalesce(entry.mtime_ns::VARCHAR, '')), ' '
            )
        END AS times
    FROM grouped
    -- noqa: enable=all
),

-- These do not say in which order a path occurs several times. Such a path is a mark, or was
-- replaced at least once.
suspects AS (
    SELECT item.layer, item.path
    FROM item
    JOIN new_twin USING (layer)
    WHERE item.taken_by IS NOT NULL OR is_mark(item.kind)
    GROUP BY item.layer, item.path
),

repeats AS (
    SELECT
        new_twin.rows_id,
        item.path,
        item.member,
        concat_ws(
            chr(1),
            item.kind,
            coalesce(base64(item.content_hash), chr(2)),
            coalesce(item.mode::VARCHAR, ''),
            coalesce(item.uid::VARCHAR, ''),
            coalesce(item.gid::VARCHAR, ''),
            coalesce(item.link, chr(2)),
            coalesce(item.xattrs, chr(2)),
            coalesce(item.device, chr(2))
        ) AS entry,
        item.mtime_ns
    FROM item
    JOIN suspects USING (layer, path)
    JOIN new_twin USING (layer)
),

sequences AS (
    SELECT
        rows_id,
        concat(chr(3), path, chr(3), string_agg(entry, chr(3) ORDER BY member)) AS entries,
        string_agg(coalesce(mtime_ns::VARCHAR, ''), ' ' ORDER BY member) AS times
    FROM repeats
    GROUP BY rows_id, path
    HAVING count(*) > 1
),

digested AS (
    SELECT rows_id, digest_of(concat(metadata, chr(2), looks)) AS description, times FROM texts
    UNION ALL
    SELECT rows_id, digest_of(entries), times FROM sequences
),

described AS (
    SELECT
        rows_id,
        digest_of(string_agg(description, '' ORDER BY description))::UUID AS description,
        digest_of(string_agg(description || times, ' ' ORDER BY description, times))::UUID AS exact
    FROM digested
    GROUP BY rows_id
)

SELECT new_twin.rows_id, described.description, described.exact
FROM new_twin
LEFT JOIN described USING (rows_id)
ORDER BY new_twin.rows_id;
