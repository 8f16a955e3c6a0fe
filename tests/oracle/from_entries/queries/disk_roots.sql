-- Question: Which sources and folders does the view have disk usage of?
-- Grain:    one row per source, and per folder that was scanned and has files in no source
-- Params:   none
-- Columns:  location  VARCHAR    absolute path, or address
--           measured  BOOLEAN    whether its disk usage is known
--           folders   VARCHAR[]  folders of the source that places are in, below it, sorted
-- Source:   docs/measures.md, "Every byte on disk has a row"
SELECT
    coalesce(disk_place.source, scan_sources.source) AS location,
    count(disk_place.source) > 0 AS measured,
    list_sort(coalesce(
        list(DISTINCT parent_of(disk_place.path)) FILTER (WHERE parent_of(disk_place.path) <> ''),
        []
    )) AS folders
FROM disk_place
FULL JOIN scan_sources ON scan_sources.source = disk_place.source
GROUP BY location
ORDER BY location;
