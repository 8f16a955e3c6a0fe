-- Question: Which whole folders are stored more than once?
-- Grain:    one row per class of equal folders that is not always inside a larger duplicate
-- Params:   none
-- Columns:  duplicate_bytes  BIGINT     size × (copies - 1)
--           size_bytes       BIGINT     size of the files below one copy
--           files            BIGINT     number of these files
--           copies           BIGINT     folders (layer, path) with these files
--           layers           BIGINT     distinct layers that hold one of them
--           images           BIGINT     images that hold one of them
--           folders          VARCHAR[]  up to ten distinct paths, the first in order
-- Source:   docs/measures.md, "Duplicate content"; docs/findings.md
--
-- A folder is inside a larger duplicate if its parent has as many copies, in every place.
WITH uppers AS (
    SELECT
        folder.class,
        bool_and(above_it.class IS NOT NULL AND above_it.copies = folder.copies) AS inside_larger
    FROM folder
    LEFT JOIN folder AS above_it
        ON above_it.layer = folder.layer AND above_it.folder = folder.parent
    GROUP BY folder.class
),

holders AS (
    SELECT folder.class, count(DISTINCT stack.image_id) AS images
    FROM (SELECT DISTINCT class, layer FROM folder) AS folder
    JOIN stack USING (layer)
    GROUP BY folder.class
)

SELECT
    any_value(folder.size_bytes) * (count(*) - 1) AS duplicate_bytes,
    any_value(folder.size_bytes) AS size_bytes,
    any_value(folder.files) AS files,
    count(*) AS copies,
    count(DISTINCT folder.layer) AS layers,
    any_value(holders.images) AS images,
    list_sort(list(DISTINCT '/' || folder.folder))[:10] AS folders
FROM folder
JOIN uppers USING (class)
JOIN holders USING (class)
WHERE NOT uppers.inside_larger
GROUP BY folder.class
ORDER BY duplicate_bytes DESC, folders, folder.class;
