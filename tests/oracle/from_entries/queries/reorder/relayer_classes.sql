-- Question: Which sets of images show the same files?
-- Grain:    one row per set of images that alone show some file
-- Params:   none
-- Columns:  images   INTEGER[]  numbers of the images (relayer_images), ascending
--           files    BIGINT     number of regular files, whatever their number of names
--           bytes    BIGINT     logical size of these files
--           folders  VARCHAR[]  the three folders, at most two levels deep, with most of these
--                               bytes
-- Source:   docs/measures.md, "Merged view"; docs/reorder.md
--
-- Two files are the same if all their visible names, content, mode, owner, mtime and xattrs are
-- equal. Folders, links and devices have no bytes and are left out.
--
-- How the cost grows: with the number of names in chain nodes (relation node_name), never with
-- images times files. Names are grouped by the node that adds them and the nodes that hide them,
-- and images are filled in once per group. Only files with several names are looked up image by
-- image, because each image may show other names.
WITH places AS (
    SELECT chain_id, layer, row_number() OVER (ORDER BY chain_id) AS place FROM node
),

members AS (
    SELECT places.place, numbered_image.number
    FROM stack
    JOIN numbered_image USING (image_id)
    JOIN places USING (chain_id)
),

hiders AS (
    SELECT hit.below AS chain_id, hit.path, list_sort(list(places.place)) AS hiders
    FROM hit
    JOIN places USING (chain_id)
    GROUP BY hit.below, hit.path
),

name_counts AS (
    SELECT inode_chain, inode_member, count(*) AS names
    FROM node_name
    GROUP BY inode_chain, inode_member
),

-- The site of a file with one name: the node that adds it, and the nodes above that hide it.
single AS (
    SELECT
        [node_name.path] AS paths,
        places.layer,
        node_name.inode_member,
        {
            'place': places.place, 'hiders': coalesce(hiders.hiders, []), 'number': -1
        } AS site
    FROM node_name
    JOIN name_counts USING (inode_chain, inode_member)
    JOIN places USING (chain_id)
    LEFT JOIN hiders USING (chain_id, path)
    WHERE name_counts.names = 1
),

linked_names AS (
    SELECT node_name.*, numbered_image.number
    FROM node_name
    JOIN name_counts USING (inode_chain, inode_member)
    JOIN stack USING (chain_id)
    JOIN numbered_image USING (image_id)
    WHERE name_counts.names > 1
),

linked_paths AS (
    SELECT DISTINCT chain_id, path FROM linked_names
),

linked_hits AS (
    SELECT numbered_image.number, hit.below AS chain_id, hit.path
    FROM hit
    JOIN linked_paths ON linked_paths.chain_id = hit.below AND linked_paths.path = hit.path
    JOIN stack ON stack.chain_id = hit.chain_id
    JOIN numbered_image ON numbered_image.image_id = stack.image_id
),

-- The site of a file with several names is one image, with the names that this image shows.
linked AS (
    SELECT
        list_sort(list(path)) AS paths,
        inode_chain,
        inode_member,
        number
    FROM linked_names
    ANTI JOIN linked_hits USING (number, chain_id, path)
    GROUP BY number, inode_chain, inode_member
),

sited AS (
    SELECT paths, layer, inode_member, site FROM single
    UNION ALL
    SELECT
        linked.paths,
        places.layer,
        linked.inode_member,
        { 'place': -1, 'hiders': [], 'number': linked.number }
    FROM linked
    JOIN places ON places.chain_id = linked.inode_chain
),

sites AS (
    SELECT
        distinct_sites.site,
        distinct_sites.site.place,
        distinct_sites.site.hiders,
        distinct_sites.site.number AS only_image,
        row_number() OVER (ORDER BY distinct_sites.site) AS site_number
    FROM (SELECT DISTINCT site FROM sited) AS distinct_sites
),

files AS (
    SELECT
        array_to_string(
            string_split(coalesce(parent_of(sited.paths[1]), ''), '/')[1:2], '/'
        ) AS folder,
        item.size_bytes,
        list_sort(list(DISTINCT sites.site_number)) AS sites
    FROM sited
    JOIN sites USING (site)
    JOIN item ON item.layer = sited.layer AND item.member = sited.inode_member
    GROUP BY
        sited.paths,
        item.content_hash,
        item.size_bytes,
        item.mode,
        item.uid,
        item.gid,
        item.mtime_ns,
        item.xattrs
),

site_folders AS (
    SELECT sites, folder, count(*) AS files, sum(size_bytes) AS bytes
    FROM files
    GROUP BY sites, folder
),

spreads AS (
    SELECT sites, row_number() OVER (ORDER BY sites) AS spread
    FROM (SELECT DISTINCT sites FROM site_folders) AS distinct_sets
),

hider_sites AS (
    SELECT site_number, unnest(hiders) AS place FROM sites
),

hidden_images AS (
    SELECT DISTINCT hider_sites.site_number, members.number
    FROM hider_sites
    JOIN members USING (place)
),

node_images AS (
    SELECT sites.site_number, members.number
    FROM sites
    JOIN members USING (place)
),

site_images AS (
    SELECT site_number, number FROM node_images ANTI JOIN hidden_images USING (site_number, number)
    UNION ALL
    SELECT site_number, only_image FROM sites WHERE only_image >= 0
),

spread_images AS (
    SELECT spread.spread, list_sort(list(DISTINCT site_images.number)) AS images
    FROM (SELECT spread, unnest(sites) AS site_number FROM spreads) AS spread
    JOIN site_images USING (site_number)
    GROUP BY spread.spread
),

class_folders AS (
    SELECT
        spread_images.images,
        site_folders.folder,
        sum(site_folders.files) AS files,
        sum(site_folders.bytes) AS bytes
    FROM site_folders
    JOIN spreads USING (sites)
    JOIN spread_images USING (spread)
    GROUP BY spread_images.images, site_folders.folder
)

SELECT
    images,
    sum(files)::BIGINT AS files,
    sum(bytes)::BIGINT AS bytes,
    list_transform(
        list(folder ORDER BY bytes DESC, folder)[1:3],
        lambda folder: '/' || folder
    ) AS folders
FROM class_folders
GROUP BY images
ORDER BY bytes DESC, images;
