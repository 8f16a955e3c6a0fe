-- Question: Which bytes did one build step add and another hide, and what is the fix?
-- Grain:    one row per (hiding chain ID, adding chain ID, kind of finding, changed fields)
-- Params:   none
-- Columns:  kind         VARCHAR    copy-up, rewritten, written-again, deleted-later, replaced,
--                                   twice-in-layer
--           chain_id     VARCHAR    the chain node that hides
--           other_chain  VARCHAR    the chain node that added
--           files        BIGINT     number of files
--           size_bytes   BIGINT     their bytes
--           saves_bytes  BIGINT     of these, bytes that no image shows: what a fix frees
--           fields       VARCHAR[]  metadata that differs
--           paths        VARCHAR[]  up to five, largest first
--           fix          VARCHAR    how to fix it
-- Source:   docs/findings.md; docs/measures.md, "What hides a file", "Dead bytes"
WITH not_compared AS (
    SELECT DISTINCT chain_id, added_chain FROM shadow WHERE cause IS NULL
),

hidden AS (
    -- The linter reports the lines of a CASE as indented too far.
    -- noqa: disable=LT02
    SELECT
        CASE shadow.cause
            WHEN 'metadata_only' THEN 'copy-up'
            WHEN 'modified' THEN 'rewritten'
            WHEN 'unchanged' THEN 'written-again'
            WHEN 'superseded' THEN 'twice-in-layer'
            WHEN 'replaced' THEN 'replaced'
            ELSE 'deleted-later'
        END AS kind,
        shadow.chain_id,
        shadow.added_chain,
        shadow.changed_fields,
        shadow.path,
        shadow.size_bytes,
        CASE WHEN dead.layer IS NULL THEN 0 ELSE shadow.size_bytes END AS saves_bytes,
        shadow.upper_mode AS mode,
        shadow.upper_uid AS uid,
        shadow.upper_gid AS gid
    FROM shadow
    LEFT JOIN dead ON dead.layer = shadow.layer AND dead.member = shadow.member
    -- of two layers with files that were not compared, nothing is known of any change
    LEFT JOIN not_compared
        ON not_compared.chain_id = shadow.chain_id
        AND not_compared.added_chain = shadow.added_chain
        AND coalesce(shadow.cause, 'modified') IN ('modified', 'metadata_only', 'unchanged')
    WHERE not_compared.chain_id IS NULL
),

grouped AS (
    SELECT
        kind,
        chain_id,
        added_chain,
        changed_fields,
        count(*) AS files,
        sum(size_bytes)::BIGINT AS size_bytes,
        sum(saves_bytes)::BIGINT AS saves_bytes,
        arg_max(path, (size_bytes, path), 5) AS paths,
        CASE WHEN min(mode) = max(mode) THEN format('{:o}', min(mode)) END AS mode,
        CASE
            WHEN min(uid) = max(uid) AND min(gid) = max(gid)
                THEN format('{}:{}', min(uid), min(gid))
        END AS owner
    FROM hidden
    GROUP BY kind, chain_id, added_chain, changed_fields
),

-- Files that came with COPY or ADD are fixed in that line of the build file, others in a RUN step.
placed AS (
    SELECT
        grouped.*,
        added.position AS added_position,
        regexp_matches(added.created_by, '(^|#\(nop\) )\s*(COPY|ADD) ') AS copied,
        added.images > node.images AS shared
    FROM grouped
    JOIN node USING (chain_id)
    JOIN node AS added ON added.chain_id = grouped.added_chain
)

SELECT
    kind,
    chain_id,
    added_chain AS other_chain,
    files,
    size_bytes,
    saves_bytes,
    changed_fields AS fields,
    paths,
    CASE
        WHEN shared AND kind <> 'twice-in-layer'
            THEN format('the files are of layer {}, which other images share: ', added_position)
        ELSE ''
    END
    || CASE
        WHEN kind = 'copy-up' AND copied AND list_has_any(changed_fields, ['uid', 'gid'])
            THEN format('COPY --chown={} in layer {}', coalesce(owner, 'OWNER'), added_position)
                || CASE
                    WHEN list_contains(changed_fields, 'mode')
                        THEN format(', with --chmod={}', coalesce(mode, 'MODE'))
                    ELSE ''
                END
        WHEN kind = 'copy-up' AND copied AND list_contains(changed_fields, 'mode')
            THEN format('COPY --chmod={} in layer {}', coalesce(mode, 'MODE'), added_position)
        WHEN kind = 'copy-up' AND changed_fields = ['mtime']
            THEN 'leave the files alone: only their times change'
        WHEN kind = 'copy-up'
            THEN format(
                'set {} in the step of layer {}, which creates the files',
                array_to_string(changed_fields, ', '),
                added_position
            )
        WHEN kind = 'deleted-later' AND copied
            THEN
                format(
                    'leave the files out of the COPY of layer {} (.dockerignore)',
                    added_position
                )
        WHEN kind = 'deleted-later'
            THEN format('join the rm to the step of layer {}, which adds the files', added_position)
        WHEN kind = 'rewritten'
            THEN
                format(
                    'make the change in the step of layer {}, which writes the files',
                    added_position
                )
        WHEN kind = 'written-again'
            THEN format('leave out files that layer {} holds already', added_position)
        WHEN kind = 'replaced'
            THEN format('do not add in layer {} what becomes another kind of file', added_position)
        ELSE 'the tool that wrote this layer stored a path twice: write it anew'
    END AS fix
FROM placed;
