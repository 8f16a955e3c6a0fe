-- Question: How many copies does each new layer hold of each content of a class?
-- Grain:    one row per (new class, new layer); the layers of the class that it extends are not
--           repeated
-- Params:   none
-- Columns:  class   BIGINT   as in content_place
--           number  INTEGER  number of the layer
--           copies  BIGINT   files of the layer with one of the contents
-- Source:   docs/measures.md, "Content hash"; docs/design.md, "What is kept"
SELECT new_content.class, new_content_file.number, count(*) AS copies
FROM new_content_file
JOIN new_content USING (content)
WHERE new_content_file.is_example
GROUP BY new_content.class, new_content_file.number
ORDER BY new_content.class, new_content_file.number;
