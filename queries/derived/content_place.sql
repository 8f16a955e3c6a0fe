-- Question: In which class is each content of the new layers now, and where is it found?
-- Grain:    one row per content
-- Params:   none
-- Columns:  class       BIGINT     equal for contents with as many copies in each layer as each
--                                  other; of all rows of a content, that of the highest class holds
--           former      BIGINT     its class without the new layers; null if it is new
--           content     UUID       first half of its content hash
--           rest        UUID       second half; null as long as there is one copy
--           size_bytes  BIGINT     logical size
--           paths       VARCHAR[]  up to ten distinct paths in all layers, the first in order; null
--                                  as long as the bytes in its copies are few
-- Source:   docs/measures.md, "Content hash"; docs/design.md, "What is kept"
SELECT
    new_content.class,
    new_content.former,
    new_content.content,
    CASE WHEN new_content.copies > 1 THEN new_content.rest END AS rest,
    new_content.size_bytes,
    new_content_path.paths
FROM new_content
LEFT JOIN new_content_path USING (content)
ORDER BY new_content.class, new_content.size_bytes DESC, new_content.content;
