-- Question: How do the new layers change the sums of classes?
-- Grain:    one row per new class, and one per class that loses contents to it
-- Params:   none
-- Columns:  class     BIGINT  as in content_place
--           extends   BIGINT  class of its contents until now, whose layers hold them too; null for
--                             contents that are new, and in a row of contents that a class loses
--           contents  BIGINT  number of contents; less than 0 in a row of contents that it loses
--           bytes     BIGINT  sizes of these contents, each once; less than 0 likewise
--           copies    BIGINT  files with one of these contents in all layers that are known; null
--                             in a row of contents that it loses
-- Source:   docs/measures.md, "Content hash"; docs/design.md, "What is kept"
SELECT
    class,
    any_value(former) AS extends,
    count(*) AS contents,
    sum(size_bytes)::BIGINT AS bytes,
    any_value(copies) AS copies
FROM new_content
GROUP BY class
UNION ALL
SELECT former, NULL, -count(*), -sum(size_bytes)::BIGINT, NULL
FROM new_content
WHERE former IS NOT NULL
GROUP BY former
ORDER BY class, contents DESC;
