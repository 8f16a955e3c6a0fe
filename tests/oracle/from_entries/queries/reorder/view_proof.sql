-- Question: Does each image show the same in another order of its layers?
-- Grain:    one row per image; the session holds each image in both orders
-- Params:   $grade  VARCHAR  equivalent: mtimes of directories that several layers of the image
--                            list are left out; identical: nothing is left out
-- Columns:  image_id        VARCHAR  config digest as computed
--           paths           BIGINT   number of visible paths today
--           today_hash      VARCHAR  SHA-256 over all visible entries as they are
--           proposed_hash   VARCHAR  the same in the other order
--           folder_mtimes   BIGINT   number of directories whose mtime differs
-- Source:   docs/measures.md, "Proof of a proposal", "Grades of equality"
WITH described AS (
    SELECT
        image_id,
        path,
        kind,
        mtime_ns,
        md5(concat(
            path,
            chr(1),
            look,
            chr(1),
            CASE
                WHEN NOT carried OR $grade::VARCHAR = 'identical' THEN coalesce(mtime_ns, -1)
            END
        )) AS entry
    FROM view_entry
),

hashed AS (
    SELECT image_id, count(*) AS paths, sha256(string_agg(entry, '' ORDER BY path)) AS hash
    FROM described
    GROUP BY image_id
),

-- An image without visible paths has a hash too, and is equal to itself.
listed AS (
    SELECT
        image_id,
        coalesce(hashed.paths, 0) AS paths,
        coalesce(hashed.hash, sha256('')) AS hash
    FROM image
    LEFT JOIN hashed USING (image_id)
),

folders AS (
    SELECT today.image_id, count(*) AS folder_mtimes
    FROM described AS today
    JOIN described AS other
        ON other.image_id = 'proposed:' || today.image_id AND other.path = today.path
    WHERE today.kind = 'directory' AND today.mtime_ns IS DISTINCT FROM other.mtime_ns
    GROUP BY today.image_id
)

SELECT
    today.image_id,
    today.paths,
    today.hash AS today_hash,
    proposed.hash AS proposed_hash,
    coalesce(folders.folder_mtimes, 0) AS folder_mtimes
FROM listed AS today
JOIN listed AS proposed ON proposed.image_id = 'proposed:' || today.image_id
LEFT JOIN folders ON folders.image_id = today.image_id
ORDER BY today.image_id;
