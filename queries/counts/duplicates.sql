-- Question: How many contents are stored more than once in the distinct layers?
-- Grain:    one row
-- Params:   none
-- Columns:  found  BIGINT  rows of the question duplicates, without its limit
-- Source:   docs/measures.md, "Duplicate content"
SELECT coalesce(sum(contents), 0)::BIGINT AS found
FROM content_class
WHERE copies > 1;
