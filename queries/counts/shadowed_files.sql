-- Question: How many files are shadowed, each once per chain node that hides it?
-- Grain:    one row
-- Params:   none
-- Columns:  found  BIGINT  rows of the question shadowed_files, without its limit
-- Source:   docs/measures.md, "What hides a file"
SELECT count(*) AS found
FROM shadow;
