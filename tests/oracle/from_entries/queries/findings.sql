-- Question: Which problems has this store, which build step causes each, and what is the fix?
-- Grain:    one row per finding; the bytes of different kinds overlap
-- Params:   none
-- Columns:  id              VARCHAR    stable while kind, layers and fields are the same
--           kind            VARCHAR    as docs/findings.md lists them
--           saves_bytes     BIGINT     what a fix frees in this store
--           size_bytes      BIGINT     bytes that it concerns
--           files           BIGINT     files that it concerns
--           image           VARCHAR    name of an image with this finding
--           images          BIGINT     images that share this chain node
--           position        INTEGER    index of the layer to look at
--           step            VARCHAR    its build step; null if the config gives none
--           other_position  INTEGER    index of the layer that added the bytes; null if none
--           other_step      VARCHAR    its build step; null if the config gives none, or without
--                                      such a layer
--           fields          VARCHAR[]  metadata that differs
--           paths           VARCHAR[]  up to five
--           fix             VARCHAR    how to fix it
-- Source:   docs/findings.md; docs/measures.md, "Words that people read"
WITH found AS (
    SELECT * FROM hidden_finding
    UNION ALL BY NAME
    SELECT * FROM again_finding
    UNION ALL BY NAME
    SELECT * FROM cache_finding
    UNION ALL BY NAME
    SELECT * FROM place_finding
    UNION ALL BY NAME
    SELECT * FROM folder_finding
    UNION ALL BY NAME
    SELECT * FROM zeros_finding
)

SELECT
    md5(
        concat_ws(' ', found.kind, found.chain_id, found.other_chain, found.fields, found.paths)
    )[:10] AS id,
    found.kind,
    found.saves_bytes,
    found.size_bytes,
    found.files,
    image.name AS image,
    node.images,
    node.position,
    node.created_by AS step,
    other.position AS other_position,
    other.created_by AS other_step,
    found.fields,
    found.paths,
    found.fix
FROM found
JOIN node ON node.chain_id = found.chain_id
JOIN image ON image.image_id = node.image_id
LEFT JOIN node AS other ON other.chain_id = found.other_chain
WHERE found.size_bytes > 0
ORDER BY found.saves_bytes DESC, found.size_bytes DESC, id;
