-- Question: In which layers are the contents whose paths must be kept from now on, besides the new
--           layers?
-- Grain:    one row per (content, layer)
-- Params:   none
-- Columns:  content  UUID     first half of the content hash
--           layer    VARCHAR  key of the layer's rows
-- Source:   docs/design.md, "What is kept"
WITH RECURSIVE moved AS (
    SELECT content, former
    FROM new_content
    WHERE former IS NOT NULL AND paths IS NULL AND has_kept_paths(size_bytes, copies)
),

lineage AS (
    SELECT DISTINCT former AS class, former AS lower FROM moved
    UNION ALL
    SELECT lineage.class, changed.extends AS lower
    FROM lineage
    JOIN kept_class_change AS changed ON changed.class = lineage.lower
    WHERE changed.extends IS NOT NULL
)

SELECT moved.content, given_layers.layer
FROM moved
JOIN lineage ON lineage.class = moved.former
JOIN kept_class_member AS member ON member.class = lineage.lower
JOIN kept_layer_number AS numbered ON numbered.number = member.number
JOIN given_layers ON given_layers.rows_id = numbered.rows_id;
