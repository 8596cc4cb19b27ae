-- That incidents of a county changed in a way that maps show: a line for each statement, seen by
-- others when it commits. How many lines there are, the first and the last one together differ
-- after every commit; the last alone does not, for a number is handed out before it can be seen.
CREATE TABLE incident_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Reached through the functions below alone: the service is granted nothing on it.
ALTER TABLE incident_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE incident_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY noting ON incident_changes USING (true);
CREATE INDEX incident_changes_county ON incident_changes (county_code, id);

CREATE FUNCTION wangge_note_incidents() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    newest bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO incident_changes (county_code)
        SELECT DISTINCT c.code FROM unnest(ARRAY[OLD.county_code, NEW.county_code]) AS c (code)
        RETURNING id INTO newest;
    ELSE
        INSERT INTO incident_changes (county_code) SELECT DISTINCT county_code FROM touched;
        SELECT currval(pg_get_serial_sequence('incident_changes', 'id')) INTO newest
        WHERE EXISTS (SELECT FROM touched);
    END IF;
    -- Now and then the oldest are dropped, by whoever finds them free: nobody waits for them.
    IF newest % 256 = 0 THEN
        DELETE FROM incident_changes WHERE id IN (
            SELECT id FROM incident_changes WHERE id < newest - 2048 FOR UPDATE SKIP LOCKED
        );
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION wangge_note_incidents() FROM PUBLIC;

CREATE TRIGGER incidents_added_noted AFTER INSERT ON incidents
    REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_note_incidents();
CREATE TRIGGER incidents_removed_noted AFTER DELETE ON incidents
    REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_note_incidents();
CREATE TRIGGER incidents_changed_noted
    AFTER UPDATE OF county_code, area_code, category, occurred_at, reported_at, geom, edition_id,
        grid_id, person_id ON incidents
    FOR EACH ROW
    WHEN (ROW (OLD.county_code, OLD.area_code, OLD.category, OLD.occurred_at, OLD.reported_at,
               OLD.geom::bytea, OLD.edition_id, OLD.grid_id, OLD.person_id)
          IS DISTINCT FROM
          ROW (NEW.county_code, NEW.area_code, NEW.category, NEW.occurred_at, NEW.reported_at,
               NEW.geom::bytea, NEW.edition_id, NEW.grid_id, NEW.person_id))
    EXECUTE FUNCTION wangge_note_incidents();

-- What maps of the caller's area are made of: another text after every commit that changed it.
-- Those of its counties, whatever else it sees; of other counties only what it reported itself.
CREATE FUNCTION wangge_maps_version() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    SELECT concat_ws(' ', c.n, c.first, c.last, g.n, g.first, g.last, (
        SELECT count(*) FROM incidents WHERE reported_by = (SELECT wangge_account())
    ))
    FROM (
        SELECT count(*) AS n, min(id) AS first, max(id) AS last FROM incident_changes
        WHERE wangge_is_around(county_code)
    ) AS c,
    (
        SELECT count(*) AS n, min(id) AS first, max(id) AS last FROM snapshot_changes
        WHERE kind IN ('grids', 'units')
    ) AS g
$$;
REVOKE ALL ON FUNCTION wangge_maps_version() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_maps_version() TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT 'incident_changes', 'internal', unnest(ARRAY['id', 'county_code', 'at']);
