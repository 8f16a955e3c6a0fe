-- Question: In which class is each content, after several runs?
-- Grain:    one row per content
-- Params:   none
-- Columns:  as derived/content_place; former is the class before all of these runs
-- Source:   docs/design.md, "What is kept"
SELECT
    max(class) AS class,
    if(count(former) = count(*), min(former), NULL) AS former,
    content,
    arg_max(rest, class) AS rest,
    any_value(size_bytes) AS size_bytes,
    arg_max(paths, class) AS paths
FROM several_content_place
GROUP BY content
ORDER BY class, content;
