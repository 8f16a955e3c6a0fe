-- Question: Which files are below each folder of the new layers, and which folders are equal?
-- Grain:    one row per (layer, folder that the paths of its files imply)
-- Params:   none
-- Columns:  rows_id         UUID     the layer's rows
--           folder          VARCHAR  path from the root
--           files           BIGINT   files below it, any depth, apart from files that a later
--                                    member of the layer replaced
--           size_bytes      BIGINT   their bytes
--           replaced_bytes  BIGINT   bytes of the files below it that were replaced
--           class           UUID     equal for folders with the same names and contents below them;
--                                    null without files, and if a quick scan did not read them
-- Source:   docs/findings.md
--
-- A folder's class is the digest of its own files and of the classes of the folders in it, made
-- from the deepest folders upwards. So the cost grows with folders and their files, and not with
-- files times depth. No name holds a control character: paths are in printable form.
WITH RECURSIVE files AS (
    SELECT
        new_layer.rows_id,
        new_layer.layer,
        parse_dirpath(item.path, 'forward_slash') AS folder,
        item.size_bytes,
        item.taken_by IS NOT NULL AS is_taken,
        concat(
            parse_filename(item.path, FALSE, 'forward_slash'), chr(1), base64(item.content_hash)
        ) AS look
    FROM item
    JOIN new_layer USING (layer)
    WHERE item.kind = 'file'
),

listed AS (
    SELECT
        rows_id,
        any_value(layer) AS layer,
        folder,
        count(*) FILTER (WHERE NOT is_taken) AS files,
        coalesce(sum(size_bytes) FILTER (WHERE NOT is_taken), 0)::BIGINT AS size_bytes,
        coalesce(sum(size_bytes) FILTER (WHERE is_taken), 0)::BIGINT AS replaced_bytes,
        list(look) FILTER (WHERE NOT is_taken) AS looks
    FROM files
    GROUP BY rows_id, folder
),

own_files AS MATERIALIZED (
    SELECT
        * EXCLUDE (looks),
        CASE WHEN folder = '' THEN 0 ELSE len(string_split(folder, '/')) END AS depth,
        depth = max(depth) OVER () AS is_deepest,
        digest_of(array_to_string(list_sort(looks), chr(2))) AS look
    FROM listed
),

-- One level of folders in each step: those that have files, and those above the last level.
levels AS (
    SELECT
        rows_id,
        layer,
        folder,
        depth,
        files,
        size_bytes,
        replaced_bytes,
        digest_of(concat(look, chr(2))) AS class
    FROM own_files
    WHERE is_deepest
    UNION ALL
    SELECT
        rows_id,
        any_value(layer),
        folder,
        depth,
        sum(files)::BIGINT,
        sum(size_bytes)::BIGINT,
        sum(replaced_bytes)::BIGINT,
        digest_of(concat(max(look), chr(2), string_agg(inner_class, chr(2) ORDER BY inner_class)))
    FROM (
        SELECT
            rows_id,
            layer,
            parse_dirpath(folder, 'forward_slash') AS folder,
            depth - 1 AS depth,
            files,
            size_bytes,
            replaced_bytes,
            NULL AS look,
            CASE
                WHEN files > 0
                    THEN concat(parse_filename(folder, FALSE, 'forward_slash'), chr(1), class)
            END AS inner_class
        FROM levels
        WHERE depth > 0
        UNION ALL
        SELECT rows_id, layer, folder, depth, files, size_bytes, replaced_bytes, look, NULL
        FROM own_files
        WHERE depth = (SELECT max(depth) - 1 FROM levels)
    ) AS parts
    GROUP BY rows_id, folder, depth
)

SELECT
    rows_id,
    folder,
    files,
    size_bytes,
    replaced_bytes,
    CASE WHEN files > 0 AND NOT is_listed(layer) THEN class::UUID END AS class
FROM levels
ORDER BY rows_id, folder;
