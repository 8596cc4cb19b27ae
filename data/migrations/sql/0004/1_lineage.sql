-- Written when an edition is published; counts are those of that day, whatever is built later.
CREATE TABLE grid_lineage (
    edition_id bigint NOT NULL REFERENCES editions,
    before_id bigint NOT NULL REFERENCES editions,
    predecessor bigint NOT NULL REFERENCES grids,
    successor bigint NOT NULL REFERENCES grids,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    unit_code text COLLATE "C" NOT NULL,
    predecessor_code text COLLATE "C" NOT NULL,
    successor_code text COLLATE "C" NOT NULL,
    households integer NOT NULL CHECK (households >= 0),
    buildings integer NOT NULL CHECK (buildings >= 0),
    area_m2 double precision NOT NULL CHECK (area_m2 > 0),
    PRIMARY KEY (edition_id, predecessor, successor),
    CONSTRAINT grid_lineage_forward CHECK (edition_id <> before_id)
);
CREATE INDEX grid_lineage_predecessor ON grid_lineage (predecessor);
CREATE INDEX grid_lineage_successor ON grid_lineage (successor);
COMMENT ON TABLE grid_lineage IS 'Ground of at least 1 m2 that a grid of the edition before and one of this share';
COMMENT ON COLUMN grid_lineage.unit_code IS 'Of the successor';

CREATE TRIGGER grid_lineage_append_only BEFORE UPDATE OR DELETE ON grid_lineage
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();

SELECT wangge_protect('grid_lineage', 'in', 'unit_code', 'grids.read', 'editions.publish');
GRANT SELECT, INSERT ON grid_lineage TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT 'grid_lineage', 'internal', unnest(string_to_array(
    'edition_id before_id predecessor successor county_code unit_code predecessor_code '
    'successor_code households buildings area_m2', ' '));
