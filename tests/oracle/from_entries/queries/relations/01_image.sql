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
--           is_cache    BOOLEAN    untagged, and deleted with another image: its recorded parent
-- Source:   docs/measures.md, "Image", "Cache image", "Incomplete images"
WITH RECURSIVE named AS (
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

-- Images that a store may delete with a child: without a name, and without a container on them.
unnamed AS (
    SELECT image_id, top_chain
    FROM described
    WHERE
        len(names) = 0
        AND image_id NOT IN (SELECT image_id FROM scan_containers WHERE image_id IS NOT NULL)
),

-- Children and their recorded parents, a store each. A damaged record may name an image with other
-- layers than the lower ones of the child.
kinship AS (
    SELECT DISTINCT child.source, child.image_id AS child_id, unnamed.image_id AS parent_id
    FROM scan_images AS child
    JOIN scan_images AS parent
        ON child.source = parent.source AND child.parent_id = parent.image_id
    JOIN unnamed ON parent.image_id = unnamed.image_id
    WHERE
        unnamed.top_chain IS NULL
        OR (child.image_id, unnamed.top_chain) IN (SELECT (image_id, chain_id) FROM stacked)
),

parents AS (
    SELECT DISTINCT source, parent_id AS image_id FROM kinship
),

-- From images that are not a parent upwards, so that records in a circle delete nothing.
removed AS (
    SELECT source, parent_id AS image_id
    FROM kinship
    WHERE (source, child_id) NOT IN (SELECT (source, image_id) FROM parents)
    UNION
    SELECT above.source, above.parent_id AS image_id
    FROM removed
    JOIN kinship AS above ON removed.source = above.source AND removed.image_id = above.child_id
),

-- An image in two stores is a cache image only if both delete it with a child.
kept AS (
    SELECT image_id
    FROM scan_images
    WHERE
        kind = 'image'
        AND image_id IS NOT NULL
        AND (source, image_id) NOT IN (SELECT (source, image_id) FROM removed)
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
    image_id NOT IN (SELECT image_id FROM kept) AS is_cache
FROM described
LEFT JOIN shared_names USING (own_name)
ORDER BY image_id;
