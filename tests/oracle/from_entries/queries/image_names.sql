-- Question: Which names, IDs and sources has each image?
-- Grain:    one row per image; cache images are left out
-- Params:   none
-- Columns:  image_id   VARCHAR    config digest as computed
--           name       VARCHAR    as answers show it
--           digest     VARCHAR    smallest manifest digest seen; null without manifests
--           names      VARCHAR[]  sorted
--           store_ids  VARCHAR[]  IDs under which podman lists it; empty for other stores
--           platform   VARCHAR    os/architecture[/variant]
--           sources    VARCHAR[]  locations, sorted
-- Source:   docs/measures.md, "Image"
SELECT image_id, name, digest, names, store_ids, platform, sources
FROM image
WHERE NOT is_cache
ORDER BY image_id;
