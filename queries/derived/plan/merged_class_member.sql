-- Question: Which layers hold the contents of each class, after several runs?
-- Grain:    one row per (class with contents that one of these runs made, layer); the layers of a
--           class of earlier runs that it extends are not repeated
-- Params:   none
-- Columns:  as derived/class_member
-- Source:   docs/design.md, "What is kept"
WITH RECURSIVE sums AS (
    SELECT class, sum(contents) AS contents FROM kept_class_change GROUP BY class
),

made AS (
    SELECT class, max(extends) AS extends
    FROM several_class_change
    WHERE class IN (SELECT class FROM several_class_member)
    GROUP BY class
),

lineage AS (
    SELECT made.class, made.class AS lower, made.extends
    FROM made
    JOIN sums USING (class)
    WHERE sums.contents > 0
    UNION ALL
    SELECT lineage.class, made.class AS lower, made.extends
    FROM lineage
    JOIN made ON made.class = lineage.extends
)

SELECT lineage.class, member.number, member.copies
FROM lineage
JOIN several_class_member AS member ON member.class = lineage.lower
ORDER BY lineage.class, member.number;
