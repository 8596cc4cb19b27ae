-- The highest number of a unit is looked up at each split: by the index, however many grids it has.
DROP INDEX grid_shapes_unit;
CREATE INDEX grid_shapes_unit ON grid_shapes (unit_code, edition_id, length(code), code);
