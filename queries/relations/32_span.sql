-- Question: From which scan until which do the rows of a source answer for it?
-- Grain:    one row per (source, scan that could read it)
-- Params:   none
-- Columns:  source  VARCHAR  location
--           scan    VARCHAR  the scan that read these rows
--           until   VARCHAR  the scan that read it next, or found it gone; null if none did
-- Source:   docs/measures.md, "Which scans answer"
WITH places AS (
    SELECT
        source,
        scan,
        coalesce(readable, TRUE) AS is_readable,
        TRUE AS is_there
    FROM sources
    UNION ALL
    SELECT unnest(gone), scan, TRUE, FALSE
    FROM scans
),

-- A source that could not be read keeps the rows of a scan that could read it.
answering AS (
    SELECT source, scan, is_there
    FROM places
    QUALIFY
        is_readable
        OR NOT coalesce(
            bool_or(is_readable) OVER (
                PARTITION BY source ORDER BY scan ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            FALSE
        )
),

spans AS (
    SELECT
        source,
        scan,
        is_there,
        lead(scan) OVER (PARTITION BY source ORDER BY scan) AS until
    FROM answering
)

SELECT source, scan, until
FROM spans
WHERE is_there
ORDER BY source, scan;
