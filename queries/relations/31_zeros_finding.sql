-- Question: Which layers hold large files of zeros that containers still see?
-- Grain:    one row per (layer, whether the files are logs of logins)
-- Params:   none
-- Columns:  as 23_hidden_finding; chain_id is the first chain node of the layer, and the bytes are
--           those of the zeros
-- Source:   docs/findings.md
WITH zeros AS (
    SELECT
        layer_rows.layer,
        noted.member,
        noted.path,
        noted.zero_bytes,
        regexp_matches(noted.path, '(^|/)(lastlog|faillog)$') AS of_logins
    FROM kept_layer_noted AS noted
    JOIN layer_rows USING (rows_id)
    WHERE noted.zero_bytes >= 1000000 AND noted.zero_bytes >= 0.9 * noted.size_bytes
)

SELECT
    'zeros' AS kind,
    node.chain_id,
    NULL::VARCHAR AS other_chain,
    count(*) AS files,
    sum(zeros.zero_bytes)::BIGINT AS size_bytes,
    sum(zeros.zero_bytes)::BIGINT AS saves_bytes,
    []::VARCHAR[] AS fields,
    arg_max(zeros.path, (zeros.zero_bytes, zeros.path), 5) AS paths,
    CASE
        WHEN zeros.of_logins
            THEN 'useradd --no-log-init, or a smaller user ID: the file has a place for each ID'
        ELSE 'leave the files out, or make them when the container starts'
    END AS fix
FROM zeros
ANTI JOIN dead USING (layer, member)
JOIN node ON node.layer = zeros.layer AND node.is_first
GROUP BY node.chain_id, zeros.layer, zeros.of_logins;
