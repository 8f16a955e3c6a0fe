-- Question: Which layers are stored more than once because their copies have different parents?
-- Grain:    one row per layer with several chain IDs
-- Params:   none
-- Columns:  as 20_hidden_finding; chain_id and other_chain are two of its chain nodes
-- Source:   docs/measures.md, "Position loss"
SELECT
    'position-loss' AS kind,
    min(node.chain_id) AS chain_id,
    max(node.chain_id) AS other_chain,
    any_value(layers.files) * (count(*) - 1) AS files,
    any_value(layers.content_bytes) * (count(*) - 1) AS size_bytes,
    any_value(layers.content_bytes) * (count(*) - 1) AS saves_bytes,
    []::VARCHAR[] AS fields,
    []::VARCHAR[] AS paths,
    format('give the {} images one order of layers: dedupe reorder', sum(node.images)) AS fix
FROM node
JOIN layers USING (layer)
GROUP BY node.layer
HAVING count(*) > 1 AND any_value(layers.content_bytes) > 0;
