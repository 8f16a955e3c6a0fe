-- Question: Which directories of each layer of a batch do layers above or below it imply too?
-- Grain:    one row per (layer, directory)
-- Params:   none
-- Columns:  number     INTEGER  the layer
--           folder_id  UBIGINT  hash of the directory
-- Source:   docs/design.md, "What is kept"
--
-- The cost grows with pairs of layers times the directories of the one that has fewer.
WITH sizes AS (
    SELECT number, count(*) AS folders FROM batch_folder GROUP BY number
),

pairs AS (
    SELECT batch_pair.number, batch_pair.other
    FROM batch_pair
    JOIN sizes AS one USING (number)
    JOIN sizes AS two ON two.number = batch_pair.other
    WHERE (one.folders, one.number) <= (two.folders, two.number)
),

common AS (
    SELECT pairs.number, pairs.other, one.folder_id
    FROM pairs
    JOIN batch_folder AS one USING (number)
    JOIN batch_folder AS two ON two.number = pairs.other AND two.folder_id = one.folder_id
)

SELECT number, folder_id FROM common
UNION
SELECT other, folder_id FROM common;
