-- Row-level security. The service connects as wangge_app, which owns nothing and bypasses nothing.
-- Policies compare codes (leakproof), read settings by scalar sub-selects (evaluated once), and are
-- forced on the owner too, which opens its connections with the whole installation as its scope.

DO $$
BEGIN
    -- Roles belong to the whole server: another database of it may have made this one just now.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wangge_app') THEN
        CREATE ROLE wangge_app LOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role wangge_app is missing'
            USING HINT = 'Have an administrator run: CREATE ROLE wangge_app; GRANT wangge_app TO '
                || current_user;
END
$$;
DO $$
BEGIN
    IF current_setting('is_superuser') = 'off' AND NOT pg_has_role('wangge_app', 'MEMBER') THEN
        EXECUTE format('GRANT wangge_app TO %I', current_user);
    END IF;
END
$$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO wangge_app;

-- An index whose third column is the grid must not look cheap to whoever asks for a grid alone: the
-- planner, which cannot see through a policy, took it for one row a time and read it whole.
ALTER TABLE assignments
    DROP CONSTRAINT assignments_once_grid,
    DROP CONSTRAINT assignments_once_building,
    DROP CONSTRAINT assignments_once_route,
    ADD CONSTRAINT assignments_once_grid EXCLUDE USING gist
        (person_id WITH =, role WITH =, (grid_id + 0) WITH =, valid WITH &&),
    ADD CONSTRAINT assignments_once_building EXCLUDE USING gist
        (person_id WITH =, role WITH =, (building_id + 0) WITH =, valid WITH &&),
    ADD CONSTRAINT assignments_once_route EXCLUDE USING gist
        (person_id WITH =, role WITH =, (route_id + 0) WITH =, valid WITH &&);
-- What one has reported oneself, and the newest of what one sees.
CREATE INDEX incidents_reporter ON incidents (reported_by, reported_at)
    WHERE reported_by IS NOT NULL;
CREATE INDEX incidents_newest ON incidents (reported_at, id);

-- A policy's condition on the area of a row.
--   'in'     its code lies in the caller's subtree, or in one granted
--   'any'    one of its codes does
--   'around' the same, or it is an area that the caller's lies in (an edition of the county)
-- As a CASE, of which the planner expects half of the rows: it takes a range whose ends it does not
-- know for two hundredths, and then reads whole tables for each of the "few" rows it gets.
CREATE FUNCTION wangge_area_condition(kind text, col text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE kind
        WHEN 'in' THEN format(
            'CASE WHEN %1$I >= (SELECT wangge_lo()) AND %1$I < (SELECT wangge_hi()) THEN true '
            'ELSE %1$I ^@ ANY ((SELECT wangge_also())::text[]) END', col)
        WHEN 'any' THEN format(
            'EXISTS (SELECT FROM unnest(%1$I) AS c (code) WHERE c.code COLLATE "C" '
            '>= (SELECT wangge_lo()) AND c.code COLLATE "C" < (SELECT wangge_hi()) '
            'OR c.code ^@ ANY ((SELECT wangge_also())::text[]))', col)
        WHEN 'around' THEN format(
            'CASE WHEN %1$I >= (SELECT wangge_lo()) AND %1$I < (SELECT wangge_hi()) '
            'OR starts_with((SELECT wangge_lo()), %1$I) THEN true '
            'WHEN (SELECT wangge_also()) IS NULL THEN false '
            'ELSE EXISTS (SELECT FROM unnest((SELECT wangge_also())) AS g '
            'WHERE starts_with(%1$I, g) OR starts_with(g, %1$I)) END', col)
    END
$$;

-- Reading, adding, changing and removing rows of a table: its area, and the rights that each asks
-- for (SQL conditions). `own` shows rows whatever their area.
CREATE FUNCTION wangge_protect(
    tbl regclass, kind text, col text, may_read text, may_add text, may_change text,
    own text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    area text := wangge_area_condition(kind, col);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tbl);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tbl);
    EXECUTE format('CREATE POLICY reading ON %s FOR SELECT USING (%s)', tbl,
                   concat_ws(' OR ', format('%s AND (%s)', area, may_read), own));
    EXECUTE format('CREATE POLICY adding ON %s FOR INSERT WITH CHECK (%s AND (%s))',
                   tbl, area, may_add);
    EXECUTE format('CREATE POLICY changing ON %s FOR UPDATE USING (%s AND (%s))',
                   tbl, area, may_change);
    EXECUTE format('CREATE POLICY removing ON %s FOR DELETE USING (%s AND (%s))',
                   tbl, area, may_change);
END
$$;
CREATE FUNCTION wangge_protect(
    tbl regclass, kind text, col text, may_read text, may_write text
) RETURNS void
    LANGUAGE sql
    AS $$ SELECT wangge_protect(
        tbl, kind, col, format('(SELECT wangge_may(%L))', may_read),
        format('(SELECT wangge_may(%L))', may_write), format('(SELECT wangge_may(%L))', may_write)
    ) $$;

-- Reference: the same for everybody, changed by the owner only

GRANT SELECT ON admin_levels, incident_categories, incident_transitions, rights, roles,
    role_rights, spatial_ref_sys, alembic_version TO wangge_app;

-- Boundaries of units and of the country are public

GRANT SELECT ON admin_units, border_lines TO wangge_app;
ALTER TABLE admin_units ENABLE ROW LEVEL SECURITY;
ALTER TABLE admin_units FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON admin_units FOR SELECT USING (true);
CREATE POLICY writing ON admin_units USING ((SELECT wangge_may('*')));
ALTER TABLE border_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE border_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON border_lines FOR SELECT USING (true);
CREATE POLICY writing ON border_lines USING ((SELECT wangge_may('*')));

-- Grids

SELECT wangge_protect('editions', 'around', 'area_code',
    $$CASE status WHEN 'draft' THEN (SELECT wangge_may('drafts.read'))
      ELSE (SELECT wangge_may('grids.read')) END$$,
    $$(SELECT wangge_may('drafts.write'))$$,
    $$CASE status WHEN 'draft' THEN (SELECT wangge_may('drafts.write'))
      ELSE (SELECT wangge_may('editions.publish')) END$$);
-- Shapes of a draft are seen by those who see the draft.
SELECT wangge_protect('grid_shapes', 'in', 'unit_code',
    $$(SELECT wangge_may('drafts.read')) OR (SELECT wangge_may('grids.read'))
      AND EXISTS (SELECT FROM editions AS e WHERE e.id = edition_id)$$,
    $$(SELECT wangge_may('drafts.write'))$$, $$(SELECT wangge_may('drafts.write'))$$);
SELECT wangge_protect('cells', 'in', 'unit_code', 'drafts.read', 'drafts.write');
SELECT wangge_protect('grids', 'around', 'county_code', 'grids.read', 'drafts.write');
SELECT wangge_protect('buildings', 'in', 'area_code', 'buildings.read', '*');
SELECT wangge_protect('barriers', 'around', 'county_code', 'grids.read', '*');
GRANT SELECT, INSERT, UPDATE, DELETE ON editions, grids, grid_shapes, cells TO wangge_app;
GRANT SELECT ON buildings, barriers TO wangge_app;

-- People: who answers for a grid is told with the grid

SELECT wangge_protect('persons', 'any', 'area_codes',
    $$(SELECT wangge_may('grids.read'))$$, $$(SELECT wangge_may('people.write'))$$,
    $$(SELECT wangge_may('people.write'))$$, $$id = (SELECT wangge_person())$$);
SELECT wangge_protect('assignments', 'in', 'area_code',
    $$(SELECT wangge_may('grids.read'))$$, $$(SELECT wangge_may('people.write'))$$,
    $$(SELECT wangge_may('people.write'))$$, $$person_id = (SELECT wangge_person())$$);
SELECT wangge_protect('leaves', 'any', 'area_codes',
    $$(SELECT wangge_may('grids.read'))$$, $$(SELECT wangge_may('people.write'))$$,
    $$(SELECT wangge_may('people.write'))$$, $$person_id = (SELECT wangge_person())$$);
GRANT SELECT (id, county_code, area_codes, name, employment, source, external_id, phone_last4,
              id_number_last4) ON persons TO wangge_app;
GRANT INSERT, UPDATE ON persons TO wangge_app;
GRANT SELECT, INSERT, UPDATE ON assignments, leaves TO wangge_app;

-- Cameras and patrols

SELECT wangge_protect('cameras', 'in', 'area_code', 'cameras.read', '*');
SELECT wangge_protect('patrol_routes', 'in', 'area_code', 'patrols.read', '*');
SELECT wangge_protect('checkpoints', 'in', 'area_code', 'patrols.read', '*');
SELECT wangge_protect('patrols', 'in', 'area_code',
    $$(SELECT wangge_may('patrols.read'))$$, $$(SELECT wangge_may('*'))$$,
    $$(SELECT wangge_may('*'))$$,
    $$person_id = (SELECT wangge_person()) AND (SELECT wangge_may('tracks.own'))$$);
SELECT wangge_protect('track_fixes', 'in', 'area_code',
    $$(SELECT wangge_may('tracks.read'))$$, $$(SELECT wangge_may('*'))$$,
    $$(SELECT wangge_may('*'))$$,
    $$(SELECT wangge_may('tracks.own')) AND EXISTS (
        SELECT FROM patrols AS p
        WHERE p.id = patrol_id AND p.person_id = (SELECT wangge_person()))$$);
GRANT SELECT ON cameras, patrol_routes, checkpoints, patrols, track_fixes TO wangge_app;

-- Incidents: of the area, of one's own grids, and those that one has reported oneself

SELECT wangge_protect('incidents', 'in', 'area_code',
    $$(SELECT wangge_may('incidents.read')) OR (SELECT wangge_may('incidents.own'))
      AND (person_id = (SELECT wangge_person())
           OR grid_id = ANY((SELECT wangge_grids())::bigint[]))$$,
    $$(SELECT wangge_may('incidents.report'))$$,
    $$(SELECT wangge_may('incidents.step')) AND ((SELECT wangge_may('incidents.read'))
      OR person_id = (SELECT wangge_person())
      OR grid_id = ANY((SELECT wangge_grids())::bigint[]))$$,
    $$reported_by = (SELECT wangge_account())$$);
GRANT SELECT, INSERT, UPDATE ON incidents TO wangge_app;
-- An event is seen by those who see its incident; and who sees one may add to it if allowed.
SELECT wangge_protect('incident_events', 'in', 'area_code',
    $$(SELECT wangge_may('incidents.read'))$$,
    $$((SELECT wangge_may('incidents.step')) OR (SELECT wangge_may('incidents.report')))
      AND EXISTS (SELECT FROM incidents AS i WHERE i.id = incident_id)$$,
    'false', $$EXISTS (SELECT FROM incidents AS i WHERE i.id = incident_id)$$);
SELECT wangge_protect('reporters', 'in', 'area_code',
    $$(SELECT wangge_may('reporters.read'))$$,
    $$(SELECT wangge_may('incidents.report'))
      AND EXISTS (SELECT FROM incidents AS i WHERE i.id = incident_id)$$, 'false');
GRANT SELECT, INSERT ON incident_events TO wangge_app;
GRANT SELECT (incident_id, county_code, area_code, name, phone_last4, created_at), INSERT
    ON reporters TO wangge_app;

REVOKE ALL ON FUNCTION wangge_refresh_areas(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_enter(bytea, bytea), wangge_refresh_areas(uuid[]) TO wangge_app;
