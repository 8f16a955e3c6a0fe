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
        layer,
        parse_dirpath(path, 'forward_slash') AS folder,
        size_bytes,
        taken_by IS NOT NULL AS is_taken,
        concat(
            parse_filename(path, FALSE, 'forward_slash'), chr(1), base64(content_hash[1:16])
        ) AS look
    FROM item
    WHERE kind = 'file' AND layer IN (SELECT layer FROM new_layer)
),

own_files AS MATERIALIZED (
    SELECT
        layer,
        folder,
        CASE WHEN folder = '' THEN 0 ELSE len(string_split(folder, '/')) END AS depth,
        count(*) FILTER (WHERE NOT is_taken) AS files,
        coalesce(sum(size_bytes) FILTER (WHERE NOT is_taken), 0)::BIGINT AS size_bytes,
        coalesce(sum(size_bytes) FILTER (WHERE is_taken), 0)::BIGINT AS replaced_bytes,
        digest_of(
            array_to_string(list_sort(list(look) FILTER (WHERE NOT is_taken)), chr(2))
        ) AS look
    FROM files
    GROUP BY layer, folder
),

-- One level of folders in each step: those that have files, and those above the last level.
levels AS (
    SELECT
        layer,
        folder,
        depth,
        files,
        size_bytes,
        replaced_bytes,
        digest_of(concat(look, chr(2))) AS class
    FROM own_files
    WHERE depth = (SELECT max(deepest.depth) FROM own_files AS deepest)
    UNION ALL
    SELECT
        layer,
        folder,
        depth,
        sum(files)::BIGINT,
        sum(size_bytes)::BIGINT,
        sum(replaced_bytes)::BIGINT,
        digest_of(concat(max(look), chr(2), string_agg(inner_class, chr(2) ORDER BY inner_class)))
    FROM (
        SELECT
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
        SELECT layer, folder, depth, files, size_bytes, replaced_bytes, look, NULL
        FROM own_files
        WHERE depth = (SELECT max(depth) - 1 FROM levels)
    ) AS parts
    GROUP BY layer, folder, depth
)

SELECT
    new_layer.rows_id,
    levels.folder,
    levels.files,
    levels.size_bytes,
    levels.replaced_bytes,
    CASE WHEN levels.files > 0 AND NOT new_layer.is_listed THEN levels.class::UUID END AS class
FROM levels
JOIN new_layer USING (layer)
ORDER BY new_layer.rows_id, levels.folder;
