-- People

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
