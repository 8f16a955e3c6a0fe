-- Question: Which member of its own layer is each hard link another name of?
-- Grain:    one row per hard link (layer, member)
-- Params:   none
-- Columns:  layer       VARCHAR  key of the layer
--           member      INTEGER  the link
--           path        VARCHAR  its name
--           end_member  INTEGER  member that it is another name of; null if the target is lower
--           end_kind    VARCHAR  kind of that; null if the target is lower
--           lower_path  VARCHAR  path to look up in the parent chain's view; null otherwise
-- Source:   docs/measures.md, "Hard links"
WITH RECURSIVE links AS (
    SELECT layer, member, path, link FROM item WHERE kind = 'hardlink'
),

-- The target is the earlier member that had the path when the link was made.
hops AS (
    SELECT links.layer, links.member, max(target.member) AS target
    FROM links
    JOIN item AS target
        ON target.layer = links.layer
        AND target.path = links.link
        AND target.member < links.member
    WHERE
        NOT is_mark(target.kind)
        AND (target.taken_by IS NULL OR target.taken_by >= links.member)
    GROUP BY links.layer, links.member
),

followed AS (
    SELECT layer, member, member AS stop FROM links
    UNION ALL
    SELECT followed.layer, followed.member, hops.target
    FROM followed
    JOIN hops ON hops.layer = followed.layer AND hops.member = followed.stop
),

-- Each hop leads to an earlier member, so the smallest member is the end of the chain of links.
ends AS (
    SELECT layer, member, min(stop) AS stop FROM followed GROUP BY layer, member
)

SELECT
    links.layer,
    links.member,
    links.path,
    CASE WHEN stop.kind <> 'hardlink' THEN stop.member END AS end_member,
    CASE WHEN stop.kind <> 'hardlink' THEN stop.kind END AS end_kind,
    CASE WHEN stop.kind = 'hardlink' THEN stop.link END AS lower_path
FROM links
JOIN ends USING (layer, member)
JOIN item AS stop ON stop.layer = ends.layer AND stop.member = ends.stop;
