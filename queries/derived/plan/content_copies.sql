-- Question: Which contents do the new layers hold?
-- Grain:    one row per (content, layer); empty files are left out, as they weigh nothing
-- Params:   none
-- Columns:  content     UUID     first half of the content hash
--           rest        UUID     its second half
--           size_bytes  BIGINT   logical size
--           number      INTEGER  number of the layer
--           copies      BIGINT   files of the layer with this content
-- Source:   docs/measures.md, "Content hash"
SELECT
    entries.content_hash[1:16]::UUID AS content,
    any_value(entries.content_hash[17:32])::UUID AS rest,
    any_value(entries.size_bytes) AS size_bytes,
    new_content_layer.number,
    count(*) AS copies
FROM batch_source AS entries
JOIN new_content_layer USING (layer)
WHERE entries.kind = 'file' AND entries.size_bytes > 0 AND entries.content_hash IS NOT NULL
GROUP BY content, new_content_layer.number;
