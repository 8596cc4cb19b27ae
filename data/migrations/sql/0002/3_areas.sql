-- Every row of an area says which: the finest unit that holds it, as a code. Scopes are ranges of
-- these codes, because only comparisons of text are leakproof and keep an index in use.

-- The finest unit in force that covers a shape, else its county.
CREATE FUNCTION wangge_unit_of(shape geometry, county text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT COALESCE(
        (SELECT u.code FROM admin_units AS u
         WHERE u.geom && shape AND ST_Covers(u.geom, shape) AND u.valid @> now()
             AND starts_with(u.code, county)
         ORDER BY u.level DESC, u.code LIMIT 1),
        county
    )
$$;

ALTER TABLE buildings ADD COLUMN area_code text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (COALESCE(unit_code, county_code)) STORED;
CREATE INDEX buildings_area ON buildings (area_code);
CREATE INDEX grid_shapes_unit ON grid_shapes (unit_code, edition_id);
CREATE INDEX cells_unit ON cells (unit_code);

-- Cameras and routes: by where they lie

CREATE FUNCTION wangge_area_by_place() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_code := wangge_unit_of(NEW.geom, NEW.county_code);
    RETURN NEW;
END
$$;
ALTER TABLE cameras ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
ALTER TABLE patrol_routes ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
UPDATE cameras SET area_code = wangge_unit_of(geom, county_code);
UPDATE patrol_routes SET area_code = wangge_unit_of(geom, county_code);
ALTER TABLE cameras ALTER COLUMN area_code SET NOT NULL;
ALTER TABLE patrol_routes ALTER COLUMN area_code SET NOT NULL;
CREATE INDEX cameras_area ON cameras (area_code);
CREATE INDEX patrol_routes_area ON patrol_routes (area_code);
CREATE TRIGGER cameras_area BEFORE INSERT OR UPDATE OF geom, county_code ON cameras
    FOR EACH ROW EXECUTE FUNCTION wangge_area_by_place();
CREATE TRIGGER patrol_routes_area BEFORE INSERT OR UPDATE OF geom, county_code ON patrol_routes
    FOR EACH ROW EXECUTE FUNCTION wangge_area_by_place();

-- What belongs to a route has its area

CREATE FUNCTION wangge_area_of_route() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_code := COALESCE(
        (SELECT r.area_code FROM patrol_routes AS r WHERE r.id = NEW.route_id), NEW.county_code
    );
    RETURN NEW;
END
$$;
ALTER TABLE checkpoints ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
ALTER TABLE patrols ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
UPDATE checkpoints SET area_code = (SELECT area_code FROM patrol_routes AS r WHERE r.id = route_id);
UPDATE patrols SET area_code = COALESCE(
    (SELECT area_code FROM patrol_routes AS r WHERE r.id = route_id), county_code
);
ALTER TABLE checkpoints ALTER COLUMN area_code SET NOT NULL;
ALTER TABLE patrols ALTER COLUMN area_code SET NOT NULL;
CREATE INDEX patrols_area ON patrols (area_code);
CREATE INDEX patrols_route ON patrols (route_id, ended_at);
CREATE TRIGGER checkpoints_area BEFORE INSERT OR UPDATE OF route_id ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION wangge_area_of_route();
CREATE TRIGGER patrols_area BEFORE INSERT OR UPDATE OF route_id ON patrols
    FOR EACH ROW EXECUTE FUNCTION wangge_area_of_route();

-- Who walked it: a worker sees its own tracks.
ALTER TABLE patrols ADD COLUMN person_id uuid REFERENCES persons;
CREATE INDEX patrols_person ON patrols (person_id, started_at) WHERE person_id IS NOT NULL;

-- Where somebody was is kept of a patrol only, from its beginning to its end: nobody is followed
-- before they go on duty, after they have signed off, or on a patrol that did not take place.
CREATE FUNCTION wangge_fix_of_patrol() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    patrol patrols%ROWTYPE;
BEGIN
    SELECT * INTO patrol FROM patrols WHERE id = NEW.patrol_id;
    IF FOUND AND NOT COALESCE(
        patrol.state IN ('under_way', 'done') AND NEW.fixed_at >= patrol.started_at
        AND NEW.fixed_at <= COALESCE(patrol.ended_at, 'infinity'), false)
    THEN
        RAISE EXCEPTION 'patrol %: it was not under way at %', NEW.patrol_id, NEW.fixed_at
            USING ERRCODE = 'check_violation',
                  HINT = 'Positions are kept of a patrol from its beginning to its end only.';
    END IF;
    NEW.area_code := COALESCE(NEW.area_code, patrol.area_code);
    RETURN NEW;
END
$$;
ALTER TABLE track_fixes ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
UPDATE track_fixes SET area_code = (SELECT p.area_code FROM patrols AS p WHERE p.id = patrol_id);
ALTER TABLE track_fixes ALTER COLUMN area_code SET NOT NULL;
CREATE TRIGGER track_fixes_on_duty BEFORE INSERT OR UPDATE OF patrol_id, fixed_at ON track_fixes
    FOR EACH ROW EXECUTE FUNCTION wangge_fix_of_patrol();

-- People belong to their county, and to every unit they answer for something in

CREATE FUNCTION wangge_area_of_target() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_code := COALESCE(
        CASE
            WHEN NEW.grid_id IS NOT NULL THEN (
                SELECT s.unit_code FROM grid_shapes AS s
                WHERE s.grid_id = NEW.grid_id ORDER BY s.edition_id DESC LIMIT 1
            )
            WHEN NEW.building_id IS NOT NULL THEN (
                SELECT b.area_code FROM buildings AS b WHERE b.id = NEW.building_id
            )
            ELSE (SELECT r.area_code FROM patrol_routes AS r WHERE r.id = NEW.route_id)
        END,
        NEW.county_code
    );
    RETURN NEW;
END
$$;
ALTER TABLE assignments ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
UPDATE assignments SET area_code = COALESCE(
    (SELECT s.unit_code FROM grid_shapes AS s
     WHERE s.grid_id = assignments.grid_id ORDER BY s.edition_id DESC LIMIT 1),
    (SELECT b.area_code FROM buildings AS b WHERE b.id = assignments.building_id),
    (SELECT r.area_code FROM patrol_routes AS r WHERE r.id = assignments.route_id),
    county_code
);
ALTER TABLE assignments ALTER COLUMN area_code SET NOT NULL;
CREATE INDEX assignments_area ON assignments (area_code);
CREATE INDEX assignments_person ON assignments (person_id);
CREATE TRIGGER assignments_area
    BEFORE INSERT OR UPDATE OF grid_id, building_id, route_id ON assignments
    FOR EACH ROW EXECUTE FUNCTION wangge_area_of_target();

ALTER TABLE persons ADD COLUMN area_codes text[] COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE leaves ADD COLUMN area_codes text[] COLLATE "C" NOT NULL DEFAULT '{}';

-- The county, the units of a person's assignments, and those of the people it stands in for.
CREATE FUNCTION wangge_areas_of_person(person uuid, county text) RETURNS text[]
    LANGUAGE sql STABLE
    AS $$
    SELECT array_agg(DISTINCT code ORDER BY code)
    FROM (
        SELECT county AS code
        UNION ALL
        SELECT a.area_code FROM assignments AS a WHERE a.person_id = person
        UNION ALL
        SELECT a.area_code FROM leaves AS l JOIN assignments AS a ON a.person_id = l.person_id
        WHERE l.deputy_id = person
    ) AS known
$$;
CREATE FUNCTION wangge_own_areas() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_codes := wangge_areas_of_person(NEW.id, NEW.county_code);
    RETURN NEW;
END
$$;
-- Write the areas of people, and of their leaves, anew. With the rights of the owner, seeing all:
-- who assigns somebody need not see everything that one answers for.
CREATE FUNCTION wangge_refresh_areas(people uuid[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    UPDATE persons SET area_codes = known.codes
    FROM (
        SELECT p.id, wangge_areas_of_person(p.id, p.county_code) AS codes
        FROM persons AS p WHERE p.id = ANY(people)
    ) AS known
    WHERE persons.id = known.id AND persons.area_codes IS DISTINCT FROM known.codes;
    UPDATE leaves SET area_codes = p.area_codes
    FROM persons AS p
    WHERE leaves.person_id = p.id AND p.id = ANY(people)
        AND leaves.area_codes IS DISTINCT FROM p.area_codes;
$$;
CREATE FUNCTION wangge_assignment_areas() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM wangge_refresh_areas(ARRAY[NEW.person_id] || ARRAY(
        SELECT l.deputy_id FROM leaves AS l
        WHERE l.person_id = NEW.person_id AND l.deputy_id IS NOT NULL
    ));
    RETURN NULL;
END
$$;
CREATE FUNCTION wangge_leave_areas() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM wangge_refresh_areas(array_remove(ARRAY[NEW.person_id, NEW.deputy_id], NULL));
    RETURN NULL;
END
$$;
UPDATE persons SET area_codes = wangge_areas_of_person(id, county_code);
UPDATE leaves SET area_codes = (SELECT p.area_codes FROM persons AS p WHERE p.id = person_id);
CREATE TRIGGER persons_areas BEFORE INSERT OR UPDATE OF county_code ON persons
    FOR EACH ROW EXECUTE FUNCTION wangge_own_areas();
CREATE TRIGGER assignments_areas AFTER INSERT OR UPDATE OF area_code, person_id ON assignments
    FOR EACH ROW EXECUTE FUNCTION wangge_assignment_areas();
CREATE TRIGGER leaves_areas AFTER INSERT OR UPDATE OF person_id, deputy_id ON leaves
    FOR EACH ROW EXECUTE FUNCTION wangge_leave_areas();

-- Incidents: the unit of the grid they were given, else that of their place; without a place, that
-- of the account which took it down, else the county

CREATE FUNCTION wangge_area_of_incident() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_code := COALESCE(
        (SELECT s.unit_code FROM grid_shapes AS s
         WHERE s.edition_id = NEW.edition_id AND s.grid_id = NEW.grid_id),
        CASE
            WHEN NEW.geom IS NOT NULL THEN wangge_unit_of(NEW.geom, NEW.county_code)
            WHEN starts_with(wangge_lo(), NEW.county_code) THEN wangge_lo()
        END,
        NEW.county_code
    );
    RETURN NEW;
END
$$;
ALTER TABLE incidents ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
UPDATE incidents SET area_code = COALESCE(
    (SELECT s.unit_code FROM grid_shapes AS s
     WHERE s.edition_id = incidents.edition_id AND s.grid_id = incidents.grid_id),
    CASE WHEN geom IS NOT NULL THEN wangge_unit_of(geom, county_code) END,
    county_code
);
ALTER TABLE incidents ALTER COLUMN area_code SET NOT NULL;
CREATE INDEX incidents_area ON incidents (area_code, reported_at);
CREATE TRIGGER incidents_area BEFORE INSERT OR UPDATE OF grid_id ON incidents
    FOR EACH ROW EXECUTE FUNCTION wangge_area_of_incident();

-- Whoever reported it sees what became of it.
ALTER TABLE incidents ADD COLUMN reported_by uuid REFERENCES accounts;

CREATE FUNCTION wangge_area_of_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_code := (SELECT i.area_code FROM incidents AS i WHERE i.id = NEW.incident_id);
    RETURN NEW;
END
$$;
ALTER TABLE incident_events ADD COLUMN area_code text COLLATE "C"
    CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$');
ALTER TABLE incident_events DISABLE TRIGGER incident_events_append_only;
UPDATE incident_events SET area_code =
    (SELECT i.area_code FROM incidents AS i WHERE i.id = incident_id);
ALTER TABLE incident_events ENABLE TRIGGER incident_events_append_only;
ALTER TABLE incident_events ALTER COLUMN area_code SET NOT NULL;
CREATE TRIGGER incident_events_area BEFORE INSERT ON incident_events
    FOR EACH ROW EXECUTE FUNCTION wangge_area_of_event();

-- Who reported, apart from what was reported

CREATE TABLE reporters (
    incident_id uuid PRIMARY KEY REFERENCES incidents,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    name bytea,
    phone bytea,
    phone_hash bytea,
    phone_last4 text CHECK (phone_last4 ~ '^[0-9]{2,4}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reporters_says_something CHECK (num_nonnulls(name, phone) > 0),
    CONSTRAINT reporters_phone_whole
        CHECK ((phone IS NULL) = (phone_hash IS NULL) AND (phone IS NULL) = (phone_last4 IS NULL))
);
COMMENT ON COLUMN reporters.name IS 'Encrypted by the application, as is the phone';
CREATE TRIGGER reporters_area BEFORE INSERT ON reporters
    FOR EACH ROW EXECUTE FUNCTION wangge_area_of_event();

-- Phones and id numbers of people, never in plain text
ALTER TABLE persons
    ADD COLUMN phone bytea,
    ADD COLUMN phone_hash bytea,
    ADD COLUMN phone_last4 text CHECK (phone_last4 ~ '^[0-9]{2,4}$'),
    ADD COLUMN id_number bytea,
    ADD COLUMN id_number_hash bytea,
    ADD COLUMN id_number_last4 text CHECK (id_number_last4 ~ '^[0-9X]{4}$');
CREATE INDEX persons_phone ON persons (phone_hash);
CREATE INDEX persons_id_number ON persons (id_number_hash);
