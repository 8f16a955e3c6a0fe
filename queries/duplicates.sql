-- Question: Which contents are stored more than once in the distinct layers?
-- Grain:    one row per content hash with at least two copies
-- Params:   $most  BIGINT   maximum number of rows; null for all
--           $sort  VARCHAR  column of numbers to sort by, largest first; empty for the usual order
-- Columns:  content_hash     VARCHAR    BLAKE3, hexadecimal
--           size_bytes       BIGINT     logical size of one copy
--           copies           BIGINT     files (layer, member) with this content
--           layers           BIGINT     distinct layers that hold it
--           images           BIGINT     images that hold one of these layers
--           duplicate_bytes  BIGINT     size × (copies - 1)
--           paths            VARCHAR[]  up to ten distinct paths, the first in order
-- Source:   docs/measures.md, "Duplicate content"
--
-- Only of the rows that are shown are paths looked up: those that are kept, if they are and all
-- layers with the content are in the view, else those of its entries.
WITH moved AS (
    SELECT former, content FROM kept_content_place WHERE former IS NOT NULL
),

copied AS (
    SELECT
        kept.class,
        kept.content,
        kept.size_bytes,
        content_class.copies,
        content_class.layers,
        content_class.images,
        content_class.is_whole,
        kept.size_bytes * (content_class.copies - 1) AS duplicate_bytes
    FROM kept_content_place AS kept
    JOIN content_class USING (class)
    ANTI JOIN moved ON moved.former = kept.class AND moved.content = kept.content
    WHERE content_class.copies > 1
),

shown AS (
    SELECT
        *,
        CASE $sort
            WHEN 'size_bytes' THEN size_bytes
            WHEN 'copies' THEN copies
            WHEN 'layers' THEN layers
            WHEN 'images' THEN images
            ELSE duplicate_bytes
        END AS sort_key
    FROM copied
    ORDER BY sort_key DESC, duplicate_bytes DESC, content
    LIMIT $most
),

described AS (
    SELECT shown.*, kept.rest, kept.paths
    FROM shown
    JOIN kept_content_place AS kept ON kept.class = shown.class AND kept.content = shown.content
),

places AS (
    SELECT described.content, numbered_layer.layer, numbered_layer.is_windows
    FROM described
    JOIN class_layer USING (class)
    JOIN numbered_layer USING (number)
    WHERE NOT described.is_whole OR described.paths IS NULL
),

named AS (
    SELECT places.content, min(DISTINCT coalesce(spelling.common, entries.path), 10) AS paths
    FROM places
    JOIN entries
        ON entries.layer = places.layer AND entries.content_hash[1:16]::UUID = places.content
    LEFT JOIN spelling ON places.is_windows AND spelling.path = entries.path
    WHERE entries.kind = 'file' AND entries.size_bytes > 0
    GROUP BY places.content
)

SELECT
    replace(concat(described.content, described.rest), '-', '') AS content_hash,
    described.size_bytes,
    described.copies,
    described.layers,
    described.images,
    described.duplicate_bytes,
    coalesce(named.paths, described.paths) AS paths
FROM described
LEFT JOIN named ON named.content = described.content
ORDER BY described.sort_key DESC, described.duplicate_bytes DESC, content_hash;
