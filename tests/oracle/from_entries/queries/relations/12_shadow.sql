-- Question: Which files does each chain node hide for good, by which name and cause?
-- Grain:    one row per (hiding chain ID, file)
-- Params:   none
-- Columns:  chain_id        VARCHAR    the chain node that hides the file's last visible name
--           position        INTEGER    its position
--           added_chain     VARCHAR    the chain node that added the file
--           added_position  INTEGER    its position
--           layer           VARCHAR    key of the layer that added it
--           member          INTEGER    the file in that layer
--           path            VARCHAR    the name that was hidden last; of several the smallest
--           spelling        VARCHAR    that name as its layer spells it: path, in another case
--           size_bytes      BIGINT     logical size
--           cause           VARCHAR    modified, metadata_only, unchanged, deleted, opaque,
--                                      replaced, superseded; null if it is one of the first three,
--                                      and a quick scan did not read the contents
--           changed_fields  VARCHAR[]  fields that differ; empty unless metadata_only, null if
--                                      the cause is
-- Source:   docs/measures.md, "What hides a file", "Causes"
--
-- A file with several names is live while any of them is visible. So for each such file and each
-- node that hides a name of it, the names added so far are counted against the names hidden so far.
WITH name_hits AS (
    SELECT hit.*, node_name.inode_chain, node_name.inode_member
    FROM hit
    JOIN node_name ON node_name.chain_id = hit.below AND node_name.path = hit.path
),

-- Most files have one name. They are hidden with it, and need no count of names.
name_counts AS (
    SELECT inode_chain, inode_member, count(*) AS names
    FROM node_name
    GROUP BY inode_chain, inode_member
),

linked_names AS (
    SELECT node_name.*
    FROM node_name
    JOIN name_counts USING (inode_chain, inode_member)
    WHERE name_counts.names > 1
),

-- Each node with itself and every node below it: the layers that make up its view.
lineage AS (
    SELECT chain_id, below FROM above
    UNION ALL
    SELECT chain_id, chain_id AS below FROM node
),

-- Each node that hides a name of a file with several names.
link_sets AS (
    SELECT DISTINCT name_hits.chain_id, name_hits.inode_chain, name_hits.inode_member
    FROM name_hits
    JOIN name_counts USING (inode_chain, inode_member)
    WHERE name_counts.names > 1
),

added_names AS (
    SELECT link_sets.chain_id, link_sets.inode_chain, link_sets.inode_member, count(*) AS names
    FROM link_sets
    JOIN lineage USING (chain_id)
    JOIN linked_names
        ON linked_names.chain_id = lineage.below
        AND linked_names.inode_chain = link_sets.inode_chain
        AND linked_names.inode_member = link_sets.inode_member
    GROUP BY ALL
),

hidden_names AS (
    SELECT link_sets.chain_id, link_sets.inode_chain, link_sets.inode_member, count(*) AS names
    FROM link_sets
    JOIN lineage USING (chain_id)
    JOIN name_hits
        ON name_hits.chain_id = lineage.below
        AND name_hits.inode_chain = link_sets.inode_chain
        AND name_hits.inode_member = link_sets.inode_member
    GROUP BY ALL
),

-- The file is hidden by the node at which all names added so far are hidden. Of the names that this
-- node hides, the smallest gives path and rule. A hard link to a lower file counts as a name of it.
last_names AS (
    SELECT
        name_hits.chain_id,
        name_hits.inode_chain,
        name_hits.inode_member,
        name_hits.path,
        name_hits.rule
    FROM name_hits
    JOIN name_counts USING (inode_chain, inode_member)
    WHERE name_counts.names = 1
    UNION ALL
    SELECT
        name_hits.chain_id,
        name_hits.inode_chain,
        name_hits.inode_member,
        min(name_hits.path),
        arg_min(name_hits.rule, name_hits.path)
    FROM name_hits
    JOIN added_names USING (chain_id, inode_chain, inode_member)
    JOIN hidden_names USING (chain_id, inode_chain, inode_member)
    WHERE added_names.names = hidden_names.names
    GROUP BY name_hits.chain_id, name_hits.inode_chain, name_hits.inode_member
),

-- If a layer has a path twice, its last member is what hides the lower file.
last_members AS (
    SELECT layer, path, max(member) AS member
    FROM item
    WHERE NOT is_mark(kind)
    GROUP BY layer, path
),

-- The entry of the same path in the hiding layer, with its hard links resolved.
uppers AS (
    SELECT
        last_names.*,
        coalesce(below_node.layer, node.layer) AS upper_layer,
        CASE
            WHEN item.kind = 'file' THEN item.member
            WHEN link.end_kind = 'file' THEN link.end_member
            WHEN lower_link.end_kind = 'file' THEN lower_link.inode_member
        END AS upper_member
    FROM last_names
    JOIN node USING (chain_id)
    LEFT JOIN last_members
        ON last_names.rule = 'same'
        AND last_members.layer = node.layer
        AND last_members.path = last_names.path
    LEFT JOIN item ON item.layer = node.layer AND item.member = last_members.member
    LEFT JOIN link ON link.layer = item.layer AND link.member = item.member
    LEFT JOIN lower_link
        ON lower_link.chain_id = last_names.chain_id AND lower_link.member = item.member
    LEFT JOIN node AS below_node
        ON below_node.chain_id = lower_link.inode_chain AND lower_link.end_kind = 'file'
),

compared AS (
    SELECT
        uppers.*,
        added.layer,
        added.position AS added_position,
        lower_file.size_bytes,
        CASE WHEN lower_file.path = uppers.path THEN lower_file.spelling END AS spelling,
        contents_differ(lower_file, upper_file) AS differs,
        -- no file, or a file whose data is that of a lower one (metacopy of overlay)
        upper_file.content_hash IS NULL AND coalesce(upper_file.size_bytes, 0) = 0
            AS has_no_content,
        metadata_between(lower_file, upper_file) AS differing
    FROM uppers
    JOIN node AS added ON added.chain_id = uppers.inode_chain
    JOIN item AS lower_file
        ON lower_file.layer = added.layer AND lower_file.member = uppers.inode_member
    LEFT JOIN item AS upper_file
        ON upper_file.layer = uppers.upper_layer AND upper_file.member = uppers.upper_member
),

causes AS (
    SELECT
        chain_id,
        inode_chain,
        added_position,
        layer,
        inode_member,
        path,
        spelling,
        size_bytes,
        CASE
            WHEN rule <> 'same' OR has_no_content THEN rule_cause(rule)
            WHEN differs THEN 'modified'
            WHEN differs IS NULL THEN NULL
            WHEN len(differing) > 0 THEN 'metadata_only'
            ELSE 'unchanged'
        END AS cause,
        differing
    FROM compared
),

-- Files all of whose names later members of the same layer replaced.
superseded AS (
    SELECT layer, inode_member, min(path) AS path
    FROM layer_name
    GROUP BY layer, inode_member
    HAVING bool_and(taken)
)

SELECT
    causes.chain_id,
    node.position,
    causes.inode_chain AS added_chain,
    causes.added_position,
    causes.layer,
    causes.inode_member AS member,
    causes.path,
    coalesce(causes.spelling, causes.path) AS spelling,
    causes.size_bytes,
    causes.cause,
    CASE
        WHEN causes.cause = 'metadata_only' THEN causes.differing
        WHEN causes.cause IS NOT NULL THEN []
    END AS changed_fields
FROM causes
JOIN node USING (chain_id)
UNION ALL
SELECT
    node.chain_id,
    node.position,
    node.chain_id AS added_chain,
    node.position AS added_position,
    node.layer,
    item.member,
    superseded.path,
    coalesce(CASE WHEN item.path = superseded.path THEN item.spelling END, superseded.path),
    item.size_bytes,
    'superseded',
    []
FROM superseded
JOIN node USING (layer)
JOIN item ON item.layer = superseded.layer AND item.member = superseded.inode_member;
