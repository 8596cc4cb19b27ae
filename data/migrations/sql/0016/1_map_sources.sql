-- Maps are also made of buildings (rates per household), barriers (streets) and the names of
-- categories; what compiled answers are made of is none of these.
ALTER TABLE snapshot_changes DROP CONSTRAINT snapshot_changes_kind_check;
ALTER TABLE snapshot_changes ADD CONSTRAINT snapshot_changes_kind_check
    CHECK (kind IN ('grids', 'roster', 'units', 'access', 'maps'));

CREATE FUNCTION wangge_note_map_source() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
BEGIN
    INSERT INTO snapshot_changes (kind) VALUES ('maps');
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION wangge_note_map_source() FROM PUBLIC;

CREATE TRIGGER buildings_mapped AFTER INSERT OR UPDATE OR DELETE ON buildings
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_note_map_source();
CREATE TRIGGER barriers_mapped AFTER INSERT OR UPDATE OR DELETE ON barriers
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_note_map_source();
CREATE TRIGGER incident_categories_mapped AFTER INSERT OR UPDATE OR DELETE ON incident_categories
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_note_map_source();

-- As in migration 0009, and of these. Shapes of grids and their households change in drafts alone,
-- which no map shows before their edition changes.
CREATE OR REPLACE FUNCTION wangge_maps_version() RETURNS text
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
        WHERE kind IN ('grids', 'units', 'maps')
    ) AS g
$$;
