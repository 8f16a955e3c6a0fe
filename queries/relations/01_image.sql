-- Question: Which images does the scan hold, each once for all its names and sources?
-- Grain:    one row per image
-- Params:   none
-- Columns:  image_id    VARCHAR    config digest as computed
--           names       VARCHAR[]  all names in all sources, sorted
--           own_name    VARCHAR    the first of them; else the store's ID, the digest, the image ID
--           name        VARCHAR    its own name; with a source in front, SOURCE::NAME, if images of
--                                  other sources have the same
--           store_ids   VARCHAR[]  IDs under which podman lists it, sorted; empty for other stores
--           digest      VARCHAR    smallest manifest digest seen; null without manifests
--           platform    VARCHAR    os/architecture[/variant]
--           created     VARCHAR    as the config says
--           sources     VARCHAR[]  locations, sorted
--           layers      INTEGER    number of layers
--           top_chain   VARCHAR    chain ID of the whole stack; null without layers
--           complete    BOOLEAN    the rows of every layer are known
--           is_cache    BOOLEAN    untagged, and the lower layers of another image
-- Source:   docs/measures.md, "Image", "Cache image", "Incomplete images"
WITH named AS (
    SELECT
        image_id,
        list_sort(list_distinct(flatten(list(names)))) AS names,
        min(digest) AS digest,
        min(platform) AS platform,
        min(created) AS created,
        list_sort(list(DISTINCT source)) AS sources,
        list_sort(coalesce(list(DISTINCT store_id) FILTER (WHERE store_id IS NOT NULL), []))
            AS store_ids
    FROM scan_images
    WHERE kind = 'image'
    GROUP BY image_id
),

-- An image can be in two sources, and verified in only one of them: the verified rows are taken.
stacked AS (
    SELECT
        image_id,
        position,
        arg_min(chain_id, (doubt_of(layer), source)) AS chain_id,
        bool_or(layer IS NOT NULL) AS known
    FROM scan_image_layers
    GROUP BY image_id, position
),

tops AS (
    SELECT
        image_id,
        count(*)::INTEGER AS layers,
        arg_max(chain_id, position) AS top_chain,
        bool_and(known) AS complete
    FROM stacked
    GROUP BY image_id
),

described AS (
    SELECT
        named.*,
        coalesce(named.names[1], named.store_ids[1], named.digest, named.image_id) AS own_name,
        coalesce(tops.layers, 0) AS layers,
        tops.top_chain,
        coalesce(tops.complete, TRUE) AS complete
    FROM named
    LEFT JOIN tops USING (image_id)
),

-- An untagged image is a cache image if its top is a lower layer of another image, or is also the
-- top of an image with a name.
covered AS (
    SELECT stacked.chain_id
    FROM stacked
    JOIN tops USING (image_id)
    WHERE stacked.chain_id <> tops.top_chain
    UNION
    SELECT top_chain FROM described WHERE len(names) > 0 AND top_chain IS NOT NULL
),

-- One tag may name an image in each of two sources. Platforms of one source do not count.
shared_names AS (
    SELECT own_name FROM described GROUP BY own_name HAVING count(DISTINCT sources) > 1
)

SELECT
    image_id,
    names,
    own_name,
    CASE WHEN shared_names.own_name IS NULL THEN '' ELSE sources[1] || '::' END || own_name AS name,
    store_ids,
    digest,
    platform,
    created,
    sources,
    layers,
    top_chain,
    complete,
    len(names) = 0 AND coalesce(top_chain IN (SELECT chain_id FROM covered), FALSE) AS is_cache
FROM described
LEFT JOIN shared_names USING (own_name)
ORDER BY image_id;
