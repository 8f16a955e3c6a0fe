-- Question: How do several runs change the sums of classes?
-- Grain:    one row per class with contents that one of these runs made, and one per class of
--           earlier runs that loses contents to these
-- Params:   none
-- Columns:  as derived/class_change; extends is a class of earlier runs
-- Source:   docs/design.md, "What is kept"
WITH RECURSIVE made AS (
    SELECT class, max(extends) AS extends
    FROM several_class_change
    WHERE class IN (SELECT class FROM several_class_member)
    GROUP BY class
),

lineage AS (
    SELECT class, extends FROM made
    UNION ALL
    SELECT lineage.class, made.extends
    FROM lineage
    JOIN made ON made.class = lineage.extends
),

-- The last class of a lineage is of earlier runs, or there is none.
ends AS (
    SELECT lineage.class, lineage.extends
    FROM lineage
    ANTI JOIN made ON made.class = lineage.extends
)

SELECT
    changed.class,
    any_value(ends.extends) AS extends,
    sum(changed.contents)::BIGINT AS contents,
    sum(changed.bytes)::BIGINT AS bytes,
    max(changed.copies) AS copies
FROM several_class_change AS changed
LEFT JOIN ends USING (class)
GROUP BY changed.class
HAVING sum(changed.contents) <> 0
ORDER BY changed.class;
