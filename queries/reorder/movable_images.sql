-- Question: Of which images can another order of layers or of build steps matter?
-- Grain:    one row per image
-- Params:   none
-- Columns:  image_id  VARCHAR  config digest as computed
-- Source:   docs/measures.md, "Reordering"
SELECT image_id FROM movable_image ORDER BY image_id;
