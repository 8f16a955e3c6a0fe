-- Question: Which layers of images for which that can matter cannot change places?
-- Grain:    one row per (lower layer, upper layer) that do not commute
-- Params:   none
-- Columns:  as 51_conflict
-- Source:   docs/measures.md, "Layers that commute"
--
-- It is made of the images of movable_image alone (part/movable_stack), and so of the entries of
-- their layers.
SELECT * FROM conflict;
