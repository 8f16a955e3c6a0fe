-- Question: How many copies does each new layer hold of each content of a class?
-- Grain:    one row per (new class, new layer); the layers of the class that it extends are not
--           repeated
-- Params:   none
-- Columns:  class   BIGINT   as in content_place
--           number  INTEGER  number of the layer
--           copies  BIGINT   files of the layer with one of the contents
-- Source:   docs/measures.md, "Content hash"; docs/design.md, "What is kept"
WITH examples AS (
    SELECT class, min(content) AS content FROM new_content GROUP BY class
)

SELECT examples.class, new_content_copy.number, new_content_copy.copies
FROM examples
JOIN new_content_copy USING (content)
ORDER BY examples.class, new_content_copy.number;
