-- Question: Which sources did a scan find that no earlier scan had looked for?
-- Grain:    one row per source that was first found in a newly named place
-- Params:   none
-- Columns:  source  VARCHAR  location
--           scan    VARCHAR  the first scan that found it
-- Source:   docs/measures.md, "Which scans answer"
--
-- Such a source may be as old as any other: its bytes are new to the catalog alone. Scans
-- of older programs did not keep what they were given, so that any new source may be growth.
WITH firsts AS (
    SELECT source, min(scan) AS scan FROM sources GROUP BY source
),

looked AS (
    SELECT scan, unnest(places) AS place FROM scans
    UNION ALL
    SELECT scan, NULL FROM scans WHERE places IS NULL
)

SELECT firsts.source, firsts.scan
FROM firsts
ANTI JOIN looked
    ON looked.scan < firsts.scan
    AND coalesce(is_at_or_below(firsts.source, looked.place), TRUE)
ORDER BY firsts.source;
