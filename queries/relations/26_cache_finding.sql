-- Question: Which layers hold caches or lists of package managers that containers still see?
-- Grain:    one row per (layer, cache)
-- Params:   none
-- Columns:  as 23_hidden_finding; chain_id is the first chain node of the layer
-- Source:   docs/findings.md
WITH cached AS (
    SELECT layer_rows.layer, noted.member, noted.path, noted.size_bytes, noted.cache
    FROM kept_layer_noted AS noted
    JOIN layer_rows USING (rows_id)
    WHERE noted.cache IS NOT NULL
)

SELECT
    'package-cache' AS kind,
    node.chain_id,
    NULL::VARCHAR AS other_chain,
    count(*) AS files,
    sum(cached.size_bytes)::BIGINT AS size_bytes,
    sum(cached.size_bytes)::BIGINT AS saves_bytes,
    []::VARCHAR[] AS fields,
    arg_max(cached.path, (cached.size_bytes, cached.path), 5) AS paths,
    CASE cached.cache
        WHEN 'apt lists' THEN 'end the step with rm -rf /var/lib/apt/lists/*'
        WHEN 'apt' THEN 'end the step with apt-get clean'
        WHEN 'pip' THEN 'pip install --no-cache-dir'
        WHEN 'apk' THEN 'apk add --no-cache'
        WHEN 'dnf' THEN 'end the step with dnf clean all'
        WHEN 'npm' THEN 'end the step with npm cache clean --force'
        ELSE 'remove the cache in the same step'
    END
    || ', or keep it outside the image: RUN --mount=type=cache' AS fix
FROM cached
ANTI JOIN dead USING (layer, member)
JOIN node ON node.layer = cached.layer AND node.is_first
GROUP BY node.chain_id, cached.layer, cached.cache
HAVING sum(cached.size_bytes) > 0;
