-- One place, several responsibilities: who works its grid, who heads its village, which leaders it is
-- linked to, which department the matter belongs to; by two rosters, one of them for emergencies.

CREATE TABLE departments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    -- The unit that it serves.
    area_code text COLLATE "C" NOT NULL CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    name text NOT NULL CHECK (btrim(name) <> ''),
    -- At the governance centre: 常驻, 轮驻, 随驻.
    attendance text NOT NULL DEFAULT 'on_call'
        CHECK (attendance IN ('resident', 'rotating', 'on_call')),
    valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL) CHECK (NOT isempty(valid)),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT departments_within_county CHECK (starts_with(area_code, county_code))
);
CREATE INDEX departments_area ON departments (area_code);

CREATE TABLE department_matters (
    department_id bigint NOT NULL REFERENCES departments ON DELETE CASCADE,
    category text NOT NULL REFERENCES incident_categories,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    -- Leads the matter, else joins in.
    is_lead boolean NOT NULL DEFAULT true,
    author text NOT NULL,
    PRIMARY KEY (department_id, category)
);

ALTER TABLE incident_categories
    ADD COLUMN routed_by text NOT NULL DEFAULT 'place' CHECK (routed_by IN ('place', 'matter'));
COMMENT ON COLUMN incident_categories.routed_by IS
    'place: who answers for the grid comes first; matter: the department that leads it';

-- An area is in emergency while one of these holds for it or for a unit above it.
CREATE TABLE duty_modes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    mode text NOT NULL DEFAULT 'emergency' CHECK (mode = 'emergency'),
    valid tstzrange NOT NULL CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    reason text NOT NULL CHECK (length(btrim(reason)) BETWEEN 1 AND 500),
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT duty_modes_within_county CHECK (starts_with(area_code, county_code)),
    CONSTRAINT duty_modes_once EXCLUDE USING gist (area_code WITH =, valid WITH &&)
);

-- Assignments: to units and departments too, and in one mode or both

ALTER TABLE assignments
    ADD COLUMN unit_code text COLLATE "C"
        CHECK (unit_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    ADD COLUMN department_id bigint REFERENCES departments,
    ADD COLUMN link_level smallint CHECK (link_level BETWEEN 1 AND 4),
    ADD COLUMN mode text NOT NULL DEFAULT 'any' CHECK (mode IN ('any', 'normal', 'emergency')),
    -- [0, 2) both, [0, 1) normal, [1, 2) emergency: overlaps are conflicts.
    ADD COLUMN mode_span int4range NOT NULL GENERATED ALWAYS AS (
        CASE mode WHEN 'normal' THEN int4range(0, 1) WHEN 'emergency' THEN int4range(1, 2)
            ELSE int4range(0, 2) END
    ) STORED,
    DROP CONSTRAINT assignments_role_check,
    DROP CONSTRAINT assignments_one_target,
    DROP CONSTRAINT assignments_role_fits_target,
    DROP CONSTRAINT assignments_one_primary,
    DROP CONSTRAINT assignments_once_grid,
    DROP CONSTRAINT assignments_once_building,
    DROP CONSTRAINT assignments_once_route;
COMMENT ON COLUMN assignments.link_level IS
    'Of a leader, 四级包联: 1 leads the county, 2 takes an area, 3 a bureau, 4 the unit itself';
-- What is answered for comes first in these indexes: the planner may take any of them to look it up.
ALTER TABLE assignments
    ADD CONSTRAINT assignments_role_check CHECK (role IN (
        'grid_worker', 'deputy', 'grid_head', 'building_head', 'border_guard', 'unit_head',
        'leader', 'officer'
    )),
    ADD CONSTRAINT assignments_one_target CHECK (
        num_nonnulls(grid_id, building_id, route_id, unit_code, department_id) = 1
    ),
    ADD CONSTRAINT assignments_role_fits_target CHECK (
        CASE role
            WHEN 'building_head' THEN building_id IS NOT NULL
            WHEN 'border_guard' THEN route_id IS NOT NULL
            WHEN 'unit_head' THEN unit_code IS NOT NULL
            WHEN 'leader' THEN unit_code IS NOT NULL
            WHEN 'officer' THEN department_id IS NOT NULL
            ELSE grid_id IS NOT NULL
        END
    ),
    ADD CONSTRAINT assignments_leader_has_level CHECK ((role = 'leader') = (link_level IS NOT NULL)),
    ADD CONSTRAINT assignments_one_primary EXCLUDE USING gist
        (grid_id WITH =, valid WITH &&, mode_span WITH &&) WHERE (is_primary),
    ADD CONSTRAINT assignments_once_grid EXCLUDE USING gist
        (grid_id WITH =, person_id WITH =, role WITH =, valid WITH &&, mode_span WITH &&),
    ADD CONSTRAINT assignments_once_building EXCLUDE USING gist
        (building_id WITH =, person_id WITH =, role WITH =, valid WITH &&, mode_span WITH &&),
    ADD CONSTRAINT assignments_once_route EXCLUDE USING gist
        (route_id WITH =, person_id WITH =, role WITH =, valid WITH &&, mode_span WITH &&),
    ADD CONSTRAINT assignments_once_unit EXCLUDE USING gist
        (unit_code WITH =, person_id WITH =, role WITH =, valid WITH &&, mode_span WITH &&),
    ADD CONSTRAINT assignments_once_department EXCLUDE USING gist
        (department_id WITH =, person_id WITH =, role WITH =, valid WITH &&, mode_span WITH &&);
CREATE INDEX assignments_primary ON assignments (grid_id) WHERE is_primary;
CREATE INDEX assignments_unit ON assignments (unit_code) WHERE unit_code IS NOT NULL;
CREATE INDEX assignments_department ON assignments (department_id) WHERE department_id IS NOT NULL;

CREATE OR REPLACE FUNCTION wangge_area_of_target() RETURNS trigger
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
            WHEN NEW.unit_code IS NOT NULL THEN NEW.unit_code
            WHEN NEW.department_id IS NOT NULL THEN (
                SELECT d.area_code FROM departments AS d WHERE d.id = NEW.department_id
            )
            ELSE (SELECT r.area_code FROM patrol_routes AS r WHERE r.id = NEW.route_id)
        END,
        NEW.county_code
    );
    RETURN NEW;
END
$$;
DROP TRIGGER assignments_area ON assignments;
CREATE TRIGGER assignments_area
    BEFORE INSERT OR UPDATE OF grid_id, building_id, route_id, unit_code, department_id
    ON assignments FOR EACH ROW EXECUTE FUNCTION wangge_area_of_target();

CREATE FUNCTION wangge_is_emergency(unit text, moment timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (
        SELECT FROM duty_modes AS m WHERE starts_with(unit, m.area_code) AND m.valid @> moment
    )
$$;

-- Who answers for a place at a moment, in order: those of an exclusive grid, of the grid, the heads
-- of its units, the leaders linked to them, the officers of the departments that the matter belongs
-- to; these first where the matter decides. The same rules stand in grids/people/roster.py, and a
-- test compares the two.
CREATE FUNCTION wangge_answering(
    exclusive bigint, grid bigint, unit text, matter text, moment timestamptz
)
RETURNS TABLE (
    place integer, assignment_id bigint, person_id uuid, name text, role text,
    is_primary boolean, reason text, grid_id bigint, unit_code text, department_id bigint
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
#variable_conflict use_column
DECLARE
    lo text := wangge_setting('lo');
    hi text := wangge_setting('hi');
    rights text := wangge_setting('rights');
BEGIN
    -- Whoever sees the unit is told who answers there, also those of the units above it.
    IF NOT COALESCE(
        wangge_may('grids.read')
        AND (unit >= lo AND unit < hi OR unit ^@ ANY (wangge_also())), false
    ) THEN
        RETURN;
    END IF;
    PERFORM set_config('wangge.lo', '0', true), set_config('wangge.hi', ':', true),
        set_config('wangge.rights', '*', true);
    RETURN QUERY
    WITH concerned AS (
        SELECT d.id, m.is_lead, length(d.area_code) AS depth, c.routed_by = 'matter' AS is_first
        FROM department_matters AS m
        JOIN departments AS d ON d.id = m.department_id
        JOIN incident_categories AS c ON c.code = m.category
        WHERE m.category = matter AND starts_with(unit, d.area_code) AND d.valid @> moment
    ),
    duty AS (
        SELECT a.*, l.id AS leave_id, l.deputy_id,
            CASE
                WHEN a.grid_id = exclusive THEN ARRAY[1, 0, 0]
                WHEN a.grid_id IS NOT NULL THEN ARRAY[2, 0, 0]
                WHEN a.role = 'unit_head' THEN ARRAY[3, -length(a.unit_code), 0]
                WHEN a.role = 'leader' THEN ARRAY[4, -a.link_level, -length(a.unit_code)]
                ELSE (
                    SELECT ARRAY[CASE WHEN d.is_first THEN 0 ELSE 5 END,
                                 CASE WHEN d.is_lead THEN 0 ELSE 1 END, -d.depth]
                    FROM concerned AS d WHERE d.id = a.department_id
                )
            END AS standing
        FROM (
            -- Each by its own index: with OR between them every assignment would be read.
            SELECT g.* FROM assignments AS g WHERE g.grid_id IN (exclusive, grid)
            UNION ALL
            SELECT u.* FROM assignments AS u
            WHERE u.unit_code IN (unit, left(unit, 9), left(unit, 6))
            UNION ALL
            SELECT o.* FROM assignments AS o
            WHERE o.department_id IN (SELECT d.id FROM concerned AS d)
        ) AS a
        LEFT JOIN leaves AS l ON l.person_id = a.person_id AND l.during @> moment
        WHERE a.valid @> moment
            AND a.mode IN ('any', CASE
                WHEN wangge_is_emergency(unit, moment) THEN 'emergency' ELSE 'normal' END)
    ),
    answering AS (
        SELECT d.id, d.person_id, d.role, d.is_primary, d.grid_id, d.unit_code, d.department_id,
            d.standing,
            CASE
                WHEN d.is_primary THEN 'primary_worker'
                WHEN d.role = 'grid_worker' THEN 'team_worker'
                WHEN d.role = 'officer' AND d.standing[2] = 1 THEN 'joint_officer'
                ELSE d.role
            END AS reason,
            CASE
                WHEN d.is_primary THEN 1
                WHEN d.role = 'grid_worker' THEN 3
                WHEN d.role = 'grid_head' THEN 5
                ELSE 4
            END AS rank
        FROM duty AS d
        WHERE d.leave_id IS NULL
        UNION ALL
        SELECT d.id, d.deputy_id, d.role, d.is_primary, d.grid_id, d.unit_code, d.department_id,
            d.standing, 'deputy_during_leave', CASE WHEN d.is_primary THEN 2 ELSE 4 END
        FROM duty AS d
        WHERE d.deputy_id IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM leaves AS own
                WHERE own.person_id = d.deputy_id AND own.during @> moment
            )
    ),
    first_reason AS (
        SELECT DISTINCT ON (a.person_id) a.* FROM answering AS a
        ORDER BY a.person_id, a.standing, a.rank, a.id
    )
    SELECT
        row_number() OVER (ORDER BY f.standing, f.rank, p.name COLLATE "C", f.id)::integer,
        f.id, f.person_id, p.name, f.role, f.is_primary, f.reason, f.grid_id, f.unit_code,
        f.department_id
    FROM first_reason AS f
    JOIN persons AS p ON p.id = f.person_id
    ORDER BY 1;
    PERFORM set_config('wangge.lo', lo, true), set_config('wangge.hi', hi, true),
        set_config('wangge.rights', rights, true);
END
$$;
REVOKE ALL ON FUNCTION wangge_answering(bigint, bigint, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_answering(bigint, bigint, text, text, timestamptz) TO wangge_app;

-- Of a grid alone: whom an incident is given to.
CREATE OR REPLACE FUNCTION wangge_responsible(grid bigint, moment timestamptz)
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
            AND (a.mode = 'any' OR a.mode = CASE
                WHEN wangge_is_emergency(a.area_code, moment) THEN 'emergency' ELSE 'normal' END)
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
        row_number() OVER (ORDER BY f.rank, p.name COLLATE "C", f.id)::integer,
        f.id, f.person_id, p.name, f.role, f.is_primary, f.reason
    FROM first_reason AS f
    JOIN persons AS p ON p.id = f.person_id
    ORDER BY 1
$$;

-- Who sees grids sees who answers for them

SELECT wangge_protect('departments', 'around', 'area_code', 'grids.read', 'people.write');
SELECT wangge_protect('department_matters', 'around', 'area_code', 'grids.read', 'people.write');
SELECT wangge_protect('duty_modes', 'around', 'area_code', 'grids.read', 'people.write');
GRANT SELECT, INSERT, UPDATE ON departments, duty_modes TO wangge_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON department_matters TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT c.table_name, c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('incident_categories', 'public', 'routed_by'),
    ('departments', 'internal',
     'id county_code area_code name attendance valid source external_id'),
    ('department_matters', 'internal',
     'department_id category county_code area_code is_lead author'),
    ('duty_modes', 'internal', 'id county_code area_code mode valid reason author created_at'),
    ('assignments', 'internal', 'unit_code department_id link_level mode mode_span')
) AS c (table_name, class, columns);
