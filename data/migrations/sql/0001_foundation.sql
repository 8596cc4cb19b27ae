-- The first schema of wangge. Every rule that can be a constraint is one: what the application
-- forgets, the database refuses.

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ------------------------------------------------------------------------------------------
-- Rules used by several tables
-- ------------------------------------------------------------------------------------------

-- The codes below a code, as a range of 12-digit numbers: '1501' -> [150100000000, 150199999999].
-- Two areas share ground exactly when these ranges overlap, so an exclusion constraint can say it.
CREATE FUNCTION wangge_code_range(code text) RETURNS int8range
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT int8range(rpad(code, 12, '0')::bigint, rpad(code, 12, '9')::bigint, '[]') $$;

CREATE FUNCTION wangge_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'History is never rewritten; add a row that says what changed.';
END
$$;

-- A camera's nominal field of view as a polygon: heading clockwise from north, metres on the
-- ellipsoid, an arc point every 5 degrees at the most. 360 degrees give a disc.
CREATE FUNCTION wangge_sector(
    apex geometry, heading_deg double precision, hfov_deg double precision, range_m double precision
) RETURNS geometry
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    WITH arc AS (
        SELECT ST_MakeLine(
            ST_Project(
                apex::geography, range_m,
                radians(heading_deg - hfov_deg / 2 + hfov_deg * step / steps)
            )::geometry
            ORDER BY step
        ) AS line
        FROM (SELECT greatest(2, ceil(hfov_deg / 5)::int) AS steps) AS s,
             generate_series(0, s.steps) AS step
    )
    SELECT CASE
        WHEN hfov_deg >= 360 THEN ST_MakePolygon(ST_AddPoint(line, ST_StartPoint(line)))
        ELSE ST_MakePolygon(ST_AddPoint(ST_AddPoint(line, apex, 0), apex))
    END
    FROM arc
$$;

-- ------------------------------------------------------------------------------------------
-- Boundaries
-- ------------------------------------------------------------------------------------------

CREATE TABLE admin_levels (
    level smallint PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL
);
COMMENT ON TABLE admin_levels IS 'Levels of administrative units; level = number of code digits';
INSERT INTO admin_levels (level, key, name_zh, name_en) VALUES
    (2, 'province', '省级', 'province'),
    (4, 'prefecture', '地级(盟/市)', 'prefecture or league'),
    (6, 'county', '县级(旗/县/区)', 'county or banner'),
    (9, 'township', '乡级(苏木/乡/镇/街道)', 'township or sumu'),
    (12, 'village', '村级(嘎查/村/社区)', 'village or community');

CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    source text NOT NULL,
    file_name text NOT NULL,
    file_sha256 text NOT NULL CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    kept integer NOT NULL CHECK (kept >= 0),
    changed integer NOT NULL CHECK (changed >= 0),
    rejected integer NOT NULL CHECK (rejected >= 0),
    report jsonb NOT NULL
);
CREATE TRIGGER imports_append_only BEFORE UPDATE OR DELETE ON imports
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();
CREATE TRIGGER imports_no_truncate BEFORE TRUNCATE ON imports
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

CREATE TABLE admin_units (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text COLLATE "C" NOT NULL,
    level smallint NOT NULL REFERENCES admin_levels,
    parent_code text COLLATE "C",
    county_code text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN level >= 6 THEN left(code, 6) END) STORED,
    name text NOT NULL CHECK (btrim(name) <> ''),
    name_en text,
    area_type text CHECK (area_type IN ('urban', 'micro', 'rural', 'pastoral')),
    geom geometry(MultiPolygon, 4326),
    valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL),
    source text NOT NULL,
    CONSTRAINT admin_units_code_digits CHECK (code ~ '^[0-9]+$' AND length(code) = level),
    CONSTRAINT admin_units_parent_is_prefix
        CHECK (length(parent_code) < length(code) AND starts_with(code, parent_code)),
    CONSTRAINT admin_units_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom)),
    CONSTRAINT admin_units_valid_not_empty CHECK (NOT isempty(valid)),
    CONSTRAINT admin_units_one_at_a_time EXCLUDE USING gist (code WITH =, valid WITH &&)
);
CREATE INDEX admin_units_geom ON admin_units USING gist (geom);
CREATE INDEX admin_units_code ON admin_units (code);
CREATE INDEX admin_units_parent ON admin_units (parent_code);

CREATE TABLE border_lines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    name text NOT NULL,
    our_side text NOT NULL CHECK (our_side IN ('left', 'right')),
    geom geometry(LineString, 4326) NOT NULL CHECK (ST_IsValid(geom) AND ST_Length(geom) > 0),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);
CREATE INDEX border_lines_geom ON border_lines USING gist (geom);

CREATE TABLE editions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    area_code text COLLATE "C" NOT NULL CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    county_code text COLLATE "C" NOT NULL GENERATED ALWAYS AS (left(area_code, 6)) STORED,
    kind text NOT NULL DEFAULT 'base' CHECK (kind IN ('base', 'micro', 'exclusive')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'superseded')),
    valid tstzrange,
    title text NOT NULL CHECK (btrim(title) <> ''),
    rules jsonb NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    based_on_id bigint REFERENCES editions,
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    approver text,
    published_at timestamptz,
    CONSTRAINT editions_draft_has_no_validity CHECK ((status = 'draft') = (valid IS NULL)),
    CONSTRAINT editions_published_has_approver
        CHECK (status = 'draft' OR (approver IS NOT NULL AND published_at IS NOT NULL)),
    CONSTRAINT editions_active_is_open
        CHECK (status <> 'active' OR upper_inf(valid)),
    CONSTRAINT editions_superseded_is_closed
        CHECK (status <> 'superseded' OR NOT upper_inf(valid)),
    -- One answer: no two published editions of one kind share both ground and time.
    CONSTRAINT editions_one_answer EXCLUDE USING gist (
        wangge_code_range(area_code) WITH &&, kind WITH =, valid WITH &&
    ) WHERE (status <> 'draft')
);
CREATE INDEX editions_county ON editions (county_code, kind, status);

-- ------------------------------------------------------------------------------------------
-- Grids
-- ------------------------------------------------------------------------------------------

CREATE TABLE grids (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    kind text NOT NULL DEFAULT 'base' CHECK (kind IN ('base', 'micro', 'exclusive')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE grids IS 'The identity of a grid; outlives its shapes';

CREATE TABLE grid_shapes (
    edition_id bigint NOT NULL REFERENCES editions ON DELETE CASCADE,
    grid_id bigint NOT NULL REFERENCES grids,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    code text COLLATE "C" NOT NULL,
    unit_code text COLLATE "C" NOT NULL,
    name text NOT NULL DEFAULT '',
    area_type text NOT NULL CHECK (area_type IN ('urban', 'micro', 'rural', 'pastoral')),
    households integer NOT NULL CHECK (households >= 0),
    buildings integer NOT NULL CHECK (buildings >= 0),
    target integer NOT NULL CHECK (target > 0),
    deviation double precision NOT NULL
        GENERATED ALWAYS AS (households::double precision / target - 1) STORED,
    compactness double precision NOT NULL CHECK (compactness BETWEEN 0 AND 1),
    area_m2 double precision NOT NULL CHECK (area_m2 > 0),
    geom geometry(Polygon, 4326) NOT NULL,
    PRIMARY KEY (edition_id, grid_id),
    UNIQUE (edition_id, code),
    CONSTRAINT grid_shapes_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom)),
    CONSTRAINT grid_shapes_code_in_unit
        CHECK (code ~ '^[0-9]+$' AND unit_code ~ '^[0-9]+$'
               AND starts_with(code, unit_code) AND length(code) > length(unit_code)),
    CONSTRAINT grid_shapes_in_county CHECK (starts_with(unit_code, county_code))
);
CREATE INDEX grid_shapes_geom ON grid_shapes USING gist (geom);
CREATE INDEX grid_shapes_grid ON grid_shapes (grid_id);

CREATE TABLE buildings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    unit_code text COLLATE "C" CHECK (unit_code ~ '^[0-9]{12}$'),
    name text,
    address text,
    kind text,
    floors smallint CHECK (floors BETWEEN 0 AND 200),
    households_registered integer CHECK (households_registered >= 0),
    households_resident integer CHECK (households_resident >= 0),
    households_occupied integer CHECK (households_occupied >= 0),
    -- The count that planning and rates use: who lives there, else who is registered there.
    households integer NOT NULL GENERATED ALWAYS AS (
        COALESCE(households_resident, households_registered, households_occupied, 0)
    ) STORED,
    counted_on date,
    geom geometry(Geometry, 4326) NOT NULL,
    point geometry(Point, 4326) NOT NULL
        GENERATED ALWAYS AS (ST_PointOnSurface(geom)) STORED,
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT buildings_unit_in_county CHECK (starts_with(unit_code, county_code)),
    CONSTRAINT buildings_geom_kind
        CHECK (GeometryType(geom) IN ('POINT', 'POLYGON', 'MULTIPOLYGON')),
    CONSTRAINT buildings_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom))
);
CREATE INDEX buildings_geom ON buildings USING gist (geom);
CREATE INDEX buildings_point ON buildings USING gist (point);

CREATE TABLE barriers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    kind text NOT NULL
        CHECK (kind IN ('street', 'arterial', 'rail', 'river', 'wall', 'bridge')),
    name text,
    geom geometry(Geometry, 4326) NOT NULL,
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT barriers_geom_kind CHECK (
        GeometryType(geom) = CASE WHEN kind = 'bridge' THEN 'POINT' ELSE 'LINESTRING' END
    ),
    CONSTRAINT barriers_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom))
);
CREATE INDEX barriers_geom ON barriers USING gist (geom);

CREATE TABLE cells (
    edition_id bigint NOT NULL REFERENCES editions ON DELETE CASCADE,
    cell_id integer NOT NULL,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    grid_id bigint NOT NULL,
    unit_code text COLLATE "C" NOT NULL,
    block integer NOT NULL,
    households integer NOT NULL CHECK (households >= 0),
    building_ids bigint[] NOT NULL DEFAULT '{}',
    geom geometry(Polygon, 4326) NOT NULL,
    PRIMARY KEY (edition_id, cell_id),
    FOREIGN KEY (edition_id, grid_id) REFERENCES grid_shapes
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX cells_geom ON cells USING gist (geom);
CREATE INDEX cells_grid ON cells (edition_id, grid_id);

-- A published edition is history: its shapes and cells stay as they were on the day.
CREATE FUNCTION wangge_only_in_draft() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    edition bigint := CASE WHEN TG_OP = 'DELETE' THEN OLD.edition_id ELSE NEW.edition_id END;
    state text;
BEGIN
    SELECT status INTO state FROM editions WHERE id = edition;
    -- No row: the draft itself is being deleted and takes its shapes along.
    IF state IS NOT NULL AND state <> 'draft' THEN
        RAISE EXCEPTION 'edition % is %: its % stay as published', edition, state, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', HINT = 'Make a new draft and publish that.';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER grid_shapes_only_in_draft BEFORE INSERT OR UPDATE OR DELETE ON grid_shapes
    FOR EACH ROW EXECUTE FUNCTION wangge_only_in_draft();
CREATE TRIGGER cells_only_in_draft BEFORE INSERT OR UPDATE OR DELETE ON cells
    FOR EACH ROW EXECUTE FUNCTION wangge_only_in_draft();

CREATE FUNCTION wangge_edition_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' THEN
            RAISE EXCEPTION 'edition % is %: it stays', OLD.id, OLD.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF (OLD.area_code, OLD.kind, OLD.author) IS DISTINCT FROM (NEW.area_code, NEW.kind, NEW.author)
       OR OLD.status <> 'draft' AND (
            (OLD.published_at, OLD.approver, OLD.rules, lower(OLD.valid))
                IS DISTINCT FROM (NEW.published_at, NEW.approver, NEW.rules, lower(NEW.valid))
            OR NOT (OLD.status = 'active' AND NEW.status IN ('active', 'superseded')
                    OR OLD.status = NEW.status AND OLD.valid = NEW.valid)
       )
    THEN
        RAISE EXCEPTION 'edition % is %: it can only be superseded', OLD.id, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER editions_history BEFORE UPDATE OR DELETE ON editions
    FOR EACH ROW EXECUTE FUNCTION wangge_edition_history();

-- ------------------------------------------------------------------------------------------
-- People
-- ------------------------------------------------------------------------------------------

CREATE TABLE persons (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    name text NOT NULL CHECK (btrim(name) <> ''),
    employment text NOT NULL DEFAULT 'full' CHECK (employment IN ('full', 'part')),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);

CREATE TABLE patrol_routes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    name text NOT NULL CHECK (btrim(name) <> ''),
    means text NOT NULL CHECK (means IN ('foot', 'horse', 'motorbike', 'vehicle', 'boat')),
    interval_days smallint NOT NULL CHECK (interval_days > 0),
    geom geometry(LineString, 4326) NOT NULL CHECK (ST_IsValid(geom) AND ST_Length(geom) > 0),
    valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CHECK (NOT isempty(valid)),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);
CREATE INDEX patrol_routes_geom ON patrol_routes USING gist (geom);

CREATE TABLE assignments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    person_id uuid NOT NULL REFERENCES persons,
    role text NOT NULL
        CHECK (role IN ('grid_worker', 'deputy', 'grid_head', 'building_head', 'border_guard')),
    grid_id bigint REFERENCES grids,
    building_id bigint REFERENCES buildings,
    route_id bigint REFERENCES patrol_routes,
    is_primary boolean NOT NULL DEFAULT false,
    valid tstzrange NOT NULL CHECK (NOT isempty(valid)),
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT assignments_one_target CHECK (num_nonnulls(grid_id, building_id, route_id) = 1),
    CONSTRAINT assignments_role_fits_target CHECK (
        CASE role
            WHEN 'building_head' THEN building_id IS NOT NULL
            WHEN 'border_guard' THEN route_id IS NOT NULL
            ELSE grid_id IS NOT NULL
        END
    ),
    CONSTRAINT assignments_primary_is_worker CHECK (NOT is_primary OR role = 'grid_worker'),
    CONSTRAINT assignments_one_primary EXCLUDE USING gist (grid_id WITH =, valid WITH &&)
        WHERE (is_primary),
    CONSTRAINT assignments_once_grid EXCLUDE USING gist
        (person_id WITH =, role WITH =, grid_id WITH =, valid WITH &&),
    CONSTRAINT assignments_once_building EXCLUDE USING gist
        (person_id WITH =, role WITH =, building_id WITH =, valid WITH &&),
    CONSTRAINT assignments_once_route EXCLUDE USING gist
        (person_id WITH =, role WITH =, route_id WITH =, valid WITH &&)
);
CREATE INDEX assignments_grid ON assignments (grid_id);

CREATE TABLE leaves (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    person_id uuid NOT NULL REFERENCES persons,
    deputy_id uuid REFERENCES persons,
    during tstzrange NOT NULL
        CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT leaves_deputy_is_another CHECK (deputy_id <> person_id),
    CONSTRAINT leaves_one_at_a_time EXCLUDE USING gist (person_id WITH =, during WITH &&)
);

-- Who answers for a grid at a moment, in order. One statement serves the single answer and the
-- bulk, so that the two can never differ.
CREATE FUNCTION wangge_responsible(grid bigint, moment timestamptz)
RETURNS TABLE (
    place integer, assignment_id bigint, person_id uuid, name text, role text,
    is_primary boolean, reason text
)
    LANGUAGE sql STABLE
    AS $$
    WITH duty AS (
        SELECT a.id, a.person_id, a.role, a.is_primary, l.id AS leave_id, l.deputy_id
        FROM assignments AS a
        LEFT JOIN leaves AS l ON l.person_id = a.person_id AND l.during @> moment
        WHERE a.grid_id = grid AND a.valid @> moment
    ),
    answering AS (
        SELECT
            id, person_id, role, is_primary,
            CASE
                WHEN is_primary THEN 'primary_worker'
                WHEN role = 'grid_worker' THEN 'team_worker'
                ELSE role
            END AS reason,
            CASE
                WHEN is_primary THEN 1
                WHEN role = 'grid_worker' THEN 3
                WHEN role = 'deputy' THEN 4
                ELSE 5
            END AS rank
        FROM duty
        WHERE leave_id IS NULL
        UNION ALL
        SELECT d.id, d.deputy_id, d.role, d.is_primary, 'deputy_during_leave',
            CASE WHEN d.is_primary THEN 2 ELSE 4 END
        FROM duty AS d
        WHERE d.deputy_id IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM leaves AS own
                WHERE own.person_id = d.deputy_id AND own.during @> moment
            )
    ),
    first_reason AS (
        SELECT DISTINCT ON (person_id) * FROM answering ORDER BY person_id, rank, id
    )
    SELECT
        row_number() OVER (ORDER BY f.rank, p.name, f.id)::integer,
        f.id, f.person_id, p.name, f.role, f.is_primary, f.reason
    FROM first_reason AS f
    JOIN persons AS p ON p.id = f.person_id
    ORDER BY 1
$$;

-- ------------------------------------------------------------------------------------------
-- Cameras and patrols
-- ------------------------------------------------------------------------------------------

CREATE TABLE cameras (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    national_id text CHECK (national_id ~ '^[0-9]{20}$'),
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'fixed' CHECK (kind IN ('fixed', 'ptz')),
    heading_deg double precision CHECK (heading_deg >= 0 AND heading_deg < 360),
    hfov_deg double precision NOT NULL CHECK (hfov_deg > 0 AND hfov_deg <= 360),
    range_m double precision NOT NULL CHECK (range_m > 0 AND range_m <= 20000),
    height_m double precision CHECK (height_m BETWEEN -100 AND 1000),
    tilt_deg double precision CHECK (tilt_deg BETWEEN -90 AND 90),
    optics text NOT NULL DEFAULT 'assumed' CHECK (optics IN ('measured', 'assumed')),
    status text NOT NULL DEFAULT 'unknown' CHECK (status IN ('online', 'offline', 'unknown')),
    geom geometry(Point, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);
COMMENT ON COLUMN cameras.heading_deg IS
    'Where the optical axis looks, clockwise from north; NULL: unknown (a full-circle PTZ has none)';
CREATE INDEX cameras_geom ON cameras USING gist (geom);

CREATE TABLE checkpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    route_id bigint NOT NULL REFERENCES patrol_routes ON DELETE CASCADE,
    seq smallint NOT NULL CHECK (seq > 0),
    name text NOT NULL,
    geom geometry(Point, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    UNIQUE (route_id, seq)
);
CREATE INDEX checkpoints_geom ON checkpoints USING gist (geom);

CREATE TABLE patrols (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    route_id bigint REFERENCES patrol_routes,
    team text,
    planned tstzrange,
    started_at timestamptz,
    ended_at timestamptz,
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'under_way', 'done', 'cancelled')),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT patrols_times CHECK (ended_at >= started_at),
    CONSTRAINT patrols_state_fits_times CHECK (
        CASE state
            WHEN 'under_way' THEN started_at IS NOT NULL AND ended_at IS NULL
            WHEN 'done' THEN started_at IS NOT NULL AND ended_at IS NOT NULL
            ELSE true
        END
    )
);

CREATE TABLE track_fixes (
    patrol_id bigint NOT NULL REFERENCES patrols,
    fixed_at timestamptz NOT NULL,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    accuracy_m real CHECK (accuracy_m >= 0),
    geom geometry(Point, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    PRIMARY KEY (patrol_id, fixed_at)
) PARTITION BY RANGE (fixed_at);
CREATE INDEX track_fixes_geom ON track_fixes USING gist (geom);
CREATE TABLE track_fixes_other PARTITION OF track_fixes DEFAULT;

-- The partition of a month is made before its first fix; the default one only catches mistakes.
CREATE FUNCTION wangge_track_partition(at timestamptz) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    first timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month')
                        AT TIME ZONE 'UTC';
    name text := 'track_fixes_' || to_char(at AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    IF to_regclass(name) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF track_fixes FOR VALUES FROM (%L) TO (%L)',
            name, first, next
        );
    END IF;
    RETURN name;
END
$$;

-- ------------------------------------------------------------------------------------------
-- Incidents
-- ------------------------------------------------------------------------------------------

CREATE TABLE incident_categories (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]*$'),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('dispute', 'hazard', 'service', 'other')),
    national_code text,
    local_code text
);

CREATE TABLE incident_transitions (
    from_state text NOT NULL,
    to_state text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
COMMENT ON TABLE incident_transitions IS
    'The one state machine; procedures select steps of it';
INSERT INTO incident_transitions (from_state, to_state) VALUES
    ('reported', 'dispatched'), ('reported', 'accepted'), ('reported', 'handling'),
    ('reported', 'closed'), ('reported', 'merged'), ('reported', 'rejected'),
    ('dispatched', 'accepted'), ('dispatched', 'returned'), ('dispatched', 'transferred'),
    ('dispatched', 'escalated'), ('dispatched', 'merged'), ('dispatched', 'rejected'),
    ('accepted', 'consulting'), ('accepted', 'handling'), ('accepted', 'transferred'),
    ('accepted', 'escalated'), ('accepted', 'returned'), ('accepted', 'merged'),
    ('consulting', 'handling'), ('consulting', 'escalated'), ('consulting', 'transferred'),
    ('handling', 'resolved'), ('handling', 'extended'), ('handling', 'transferred'),
    ('handling', 'escalated'), ('handling', 'returned'),
    ('extended', 'handling'), ('extended', 'resolved'), ('extended', 'escalated'),
    ('returned', 'dispatched'), ('returned', 'rejected'), ('returned', 'merged'),
    ('transferred', 'dispatched'), ('transferred', 'accepted'),
    ('escalated', 'dispatched'), ('escalated', 'accepted'), ('escalated', 'handling'),
    ('resolved', 'evaluated'), ('resolved', 'closed'), ('resolved', 'reopened'),
    ('evaluated', 'closed'), ('evaluated', 'reopened'),
    ('closed', 'reopened'), ('rejected', 'reopened'), ('merged', 'reopened'),
    ('reopened', 'dispatched'), ('reopened', 'accepted'), ('reopened', 'handling');

CREATE TABLE incidents (
    id uuid PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    source text NOT NULL CHECK (btrim(source) <> ''),
    external_id text,
    category text NOT NULL REFERENCES incident_categories,
    severity text NOT NULL DEFAULT 'simple'
        CHECK (severity IN ('simple', 'general', 'difficult', 'major')),
    text text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    occurred_at timestamptz,
    reported_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    geom geometry(Point, 4326) CHECK (NOT ST_IsEmpty(geom)),
    source_crs text,
    source_x double precision,
    source_y double precision,
    accuracy_m real CHECK (accuracy_m >= 0),
    method text CHECK (method IN ('gps', 'map', 'address', 'import', 'operator')),
    edition_id bigint REFERENCES editions,
    grid_id bigint REFERENCES grids,
    assignment_id bigint REFERENCES assignments,
    person_id uuid REFERENCES persons,
    reason text NOT NULL,
    review text CHECK (review IN ('no_place', 'outside', 'no_edition', 'nobody')),
    state text NOT NULL DEFAULT 'reported',
    request_sha256 text NOT NULL CHECK (request_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT incidents_once_a_source UNIQUE (county_code, source, external_id),
    CONSTRAINT incidents_place_has_source
        CHECK ((geom IS NULL) = (source_crs IS NULL) AND (geom IS NULL) = (method IS NULL)),
    CONSTRAINT incidents_no_place_is_reviewed 
        CHECK ((geom IS NULL) = COALESCE(review = 'no_place', false)),
    CONSTRAINT incidents_grid_is_of_edition FOREIGN KEY (edition_id, grid_id)
        REFERENCES grid_shapes (edition_id, grid_id)
);
CREATE INDEX incidents_geom ON incidents USING gist (geom);
CREATE INDEX incidents_time ON incidents (county_code, reported_at);
CREATE INDEX incidents_grid ON incidents (grid_id, reported_at);
CREATE INDEX incidents_review ON incidents (county_code, review) WHERE review IS NOT NULL;

CREATE TABLE incident_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Readers of the stream stay below pg_snapshot_xmin: a sequence alone would skip late commits.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    incident_id uuid NOT NULL REFERENCES incidents,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL CHECK (btrim(actor) <> ''),
    kind text NOT NULL CHECK (kind IN ('reported', 'state', 'note', 'relocated', 'reassigned')),
    from_state text,
    to_state text,
    note text NOT NULL DEFAULT '',
    data jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT incident_events_state_moves CHECK (
        CASE kind
            WHEN 'reported' THEN from_state IS NULL AND to_state = 'reported'
            WHEN 'state' THEN from_state IS NOT NULL AND to_state IS NOT NULL
            ELSE from_state IS NULL AND to_state IS NULL
        END
    ),
    CONSTRAINT incident_events_allowed
        FOREIGN KEY (from_state, to_state) REFERENCES incident_transitions
);
CREATE INDEX incident_events_incident ON incident_events (incident_id, id);
CREATE INDEX incident_events_stream ON incident_events (xid, id);
CREATE TRIGGER incident_events_append_only BEFORE UPDATE OR DELETE ON incident_events
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();
CREATE TRIGGER incident_events_no_truncate BEFORE TRUNCATE ON incident_events
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

-- The state of an incident is what its events say, and nothing else writes it.
CREATE FUNCTION wangge_apply_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.kind = 'state' THEN
        UPDATE incidents SET state = NEW.to_state
            WHERE id = NEW.incident_id AND state = NEW.from_state;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'incident % is no longer %', NEW.incident_id, NEW.from_state
                USING ERRCODE = 'serialization_failure',
                      HINT = 'Read the incident again and repeat the step if it still applies.';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_events_apply AFTER INSERT ON incident_events
    FOR EACH ROW EXECUTE FUNCTION wangge_apply_event();

-- What an incident was given at its report time stays; only an open question may be answered.
CREATE FUNCTION wangge_incident_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'incident %: incidents are never deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.id, OLD.county_code, OLD.source, OLD.external_id, OLD.reported_at, OLD.received_at,
        OLD.text, OLD.request_sha256)
       IS DISTINCT FROM
       (NEW.id, NEW.county_code, NEW.source, NEW.external_id, NEW.reported_at, NEW.received_at,
        NEW.text, NEW.request_sha256)
       OR OLD.grid_id IS NOT NULL AND (OLD.edition_id, OLD.grid_id)
            IS DISTINCT FROM (NEW.edition_id, NEW.grid_id)
       OR OLD.person_id IS NOT NULL AND (OLD.assignment_id, OLD.person_id)
            IS DISTINCT FROM (NEW.assignment_id, NEW.person_id)
    THEN
        RAISE EXCEPTION 'incident %: what was answered at its report time stays', OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Add an event that says what changed.';
    END IF;
    IF OLD.state <> NEW.state AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'incident %: its state is changed by an event only', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER incidents_history BEFORE UPDATE OR DELETE ON incidents
    FOR EACH ROW EXECUTE FUNCTION wangge_incident_history();
CREATE TRIGGER incidents_no_truncate BEFORE TRUNCATE ON incidents
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

-- ------------------------------------------------------------------------------------------
-- Audit
-- ------------------------------------------------------------------------------------------

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL CHECK (btrim(actor) <> ''),
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    county_code text COLLATE "C",
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_object ON audit_log (object_kind, object_id);
CREATE INDEX audit_log_time ON audit_log (at);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

-- ------------------------------------------------------------------------------------------
-- The default dictionary of categories (dispute types as people's mediation counts them, and the
-- service matters and hazards every centre takes). Local and national codes are filled in per site.
-- ------------------------------------------------------------------------------------------
INSERT INTO incident_categories (code, name_zh, name_en, kind) VALUES
    ('marriage_family', '婚姻家庭', 'marriage and family', 'dispute'),
    ('neighbour', '邻里', 'neighbours', 'dispute'),
    ('housing', '房屋宅基地', 'housing and homestead', 'dispute'),
    ('contract', '合同', 'contract', 'dispute'),
    ('business', '生产经营', 'production and business', 'dispute'),
    ('damages', '损害赔偿', 'damages', 'dispute'),
    ('land_forest', '山林土地', 'mountain, forest and land', 'dispute'),
    ('land_acquisition', '征地拆迁', 'land acquisition and demolition', 'dispute'),
    ('environment', '环境保护', 'environment', 'dispute'),
    ('migrant_wages', '拖欠农民工工资', 'migrant workers'' wages', 'dispute'),
    ('labour', '其他劳动争议', 'other labour', 'dispute'),
    ('tourism', '旅游', 'tourism', 'dispute'),
    ('e_commerce', '电子商务', 'e-commerce', 'dispute'),
    ('consumer', '其他消费', 'other consumer', 'dispute'),
    ('medical', '医疗', 'medical', 'dispute'),
    ('traffic', '道路交通事故', 'road traffic', 'dispute'),
    ('property_management', '物业', 'property management', 'dispute'),
    ('other', '其他纠纷', 'other dispute', 'dispute'),
    ('hazard', '安全隐患', 'safety hazard', 'hazard'),
    ('crime', '治安警情(仅统计)', 'police incident (for counting only)', 'other'),
    ('service', '服务事项', 'service matter', 'service');
