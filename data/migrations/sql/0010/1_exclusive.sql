-- An incident in an exclusive grid (a school, a mall) is given to that grid's people; the base grid
-- that it lies in stays on it as before.

ALTER TABLE incidents ADD COLUMN exclusive_grid_id bigint REFERENCES grids;
COMMENT ON COLUMN incidents.exclusive_grid_id IS
    'The exclusive grid over its place at its report time, whose people came first';
CREATE INDEX incidents_exclusive ON incidents (exclusive_grid_id, reported_at)
    WHERE exclusive_grid_id IS NOT NULL;

CREATE OR REPLACE FUNCTION wangge_incident_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'incident %: incidents are never deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF wangge_is_retention() THEN
        IF NEW.text <> '' OR NEW.address <> '' OR NEW.anonymised_at IS NULL
           OR OLD.anonymised_at IS NOT NULL
        THEN
            RAISE EXCEPTION 'incident %: retention only empties what was said', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF (OLD.text, OLD.address, OLD.anonymised_at)
        IS DISTINCT FROM (NEW.text, NEW.address, NEW.anonymised_at)
    THEN
        RAISE EXCEPTION 'incident %: what was said at its report time stays', OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Add an event that says what changed.';
    END IF;
    IF (OLD.id, OLD.county_code, OLD.source, OLD.external_id, OLD.reported_at, OLD.received_at,
        OLD.request_sha256, OLD.reported_by)
       IS DISTINCT FROM
       (NEW.id, NEW.county_code, NEW.source, NEW.external_id, NEW.reported_at, NEW.received_at,
        NEW.request_sha256, NEW.reported_by)
       OR OLD.grid_id IS NOT NULL AND (OLD.edition_id, OLD.grid_id, OLD.exclusive_grid_id)
            IS DISTINCT FROM (NEW.edition_id, NEW.grid_id, NEW.exclusive_grid_id)
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

-- The exclusive grid over a place and the micro grid that it lies in, at a moment. Whoever sees the
-- base grid there is told of them, also where one is kept under a unit that the caller does not see:
-- a school may stand on the ground of two villages.
CREATE FUNCTION wangge_over(place geometry, moment timestamptz)
RETURNS TABLE (
    kind text, edition_id bigint, grid_id bigint, code text, name text, unit_code text,
    county_code text, area_type text, households integer, target integer,
    deviation double precision
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    -- First the shapes, by their index, whatever the planner thinks of the policies.
    WITH here AS MATERIALIZED (
        SELECT * FROM grid_shapes AS g WHERE g.geom && place AND ST_Covers(g.geom, place)
    )
    SELECT DISTINCT ON (e.kind) e.kind, h.edition_id, h.grid_id, h.code, h.name, h.unit_code,
        h.county_code, h.area_type, h.households, h.target, h.deviation
    FROM here AS h
    JOIN editions AS e ON e.id = h.edition_id
    WHERE e.kind <> 'base' AND e.status <> 'draft' AND e.valid @> moment
    ORDER BY e.kind, h.code
$$;
REVOKE ALL ON FUNCTION wangge_over(geometry, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_over(geometry, timestamptz) TO wangge_app;

-- Whom an incident is given to: the people of the exclusive grid over its place, then of its grid,
-- in the duty mode of the unit (NULL: of the grid's own). The order is that of wangge_answering and
-- of grids/people/roster.py; a test compares the three.
CREATE FUNCTION wangge_given(exclusive bigint, grid bigint, unit text, moment timestamptz)
RETURNS TABLE (
    place integer, assignment_id bigint, person_id uuid, name text, role text,
    is_primary boolean, reason text, grid_id bigint
)
    LANGUAGE sql STABLE
    AS $$
    WITH duty AS (
        SELECT a.id, a.person_id, a.role, a.is_primary, a.grid_id, l.id AS leave_id, l.deputy_id,
            CASE WHEN a.grid_id = exclusive THEN 1 ELSE 2 END AS standing
        FROM (
            -- Each by its own index.
            SELECT g.* FROM assignments AS g WHERE g.grid_id = grid
            UNION ALL
            SELECT o.* FROM assignments AS o WHERE o.grid_id = exclusive AND exclusive <> grid
        ) AS a
        LEFT JOIN leaves AS l ON l.person_id = a.person_id AND l.during @> moment
        WHERE a.valid @> moment
            AND (a.mode = 'any' OR a.mode = CASE
                WHEN wangge_is_emergency(COALESCE(unit, a.area_code), moment) THEN 'emergency'
                ELSE 'normal' END)
    ),
    answering AS (
        SELECT
            id, person_id, role, is_primary, grid_id, standing,
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
        SELECT d.id, d.deputy_id, d.role, d.is_primary, d.grid_id, d.standing,
            'deputy_during_leave', CASE WHEN d.is_primary THEN 2 ELSE 4 END
        FROM duty AS d
        WHERE d.deputy_id IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM leaves AS own
                WHERE own.person_id = d.deputy_id AND own.during @> moment
            )
    ),
    first_reason AS (
        SELECT DISTINCT ON (person_id) * FROM answering ORDER BY person_id, standing, rank, id
    )
    SELECT
        row_number() OVER (
            ORDER BY f.standing, f.rank, p.name COLLATE "C", f.id
        )::integer,
        f.id, f.person_id, p.name, f.role, f.is_primary, f.reason, f.grid_id
    FROM first_reason AS f
    JOIN persons AS p ON p.id = f.person_id
    ORDER BY 1
$$;

-- Of a grid alone.
CREATE OR REPLACE FUNCTION wangge_responsible(grid bigint, moment timestamptz)
RETURNS TABLE (
    place integer, assignment_id bigint, person_id uuid, name text, role text,
    is_primary boolean, reason text
)
    LANGUAGE sql STABLE
    AS $$
    SELECT g.place, g.assignment_id, g.person_id, g.name, g.role, g.is_primary, g.reason
    FROM wangge_given(NULL, grid, NULL, moment) AS g
    ORDER BY 1
$$;

-- Open incidents follow an edition of exclusive grids too, as they follow one of base grids.
CREATE OR REPLACE FUNCTION wangge_change_over(author text)
RETURNS TABLE (edition bigint, incidents integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
DECLARE
    due editions%ROWTYPE;
    moment timestamptz := clock_timestamp();
BEGIN
    FOR due IN
        SELECT * FROM editions AS e
        WHERE e.status <> 'draft' AND e.kind IN ('base', 'exclusive') AND e.changed_over_at IS NULL
            AND lower(e.valid) <= moment
        ORDER BY e.id FOR UPDATE SKIP LOCKED
    LOOP
        WITH open_ones AS MATERIALIZED (
            SELECT i.id, i.county_code, i.geom,
                COALESCE((r.data ->> 'grid')::bigint, i.grid_id) AS grid_id,
                CASE WHEN r.data ? 'exclusive' THEN (r.data ->> 'exclusive')::bigint
                    ELSE i.exclusive_grid_id END AS exclusive_id,
                CASE WHEN r.id IS NULL THEN i.person_id ELSE (r.data ->> 'person')::uuid END
                    AS person_id
            FROM incidents AS i
            LEFT JOIN LATERAL (
                SELECT v.id, v.data FROM incident_events AS v
                WHERE v.incident_id = i.id AND v.kind = 'reassigned' ORDER BY v.id DESC LIMIT 1
            ) AS r ON true
            WHERE starts_with(i.area_code, due.county_code) AND i.geom IS NOT NULL
                AND i.state NOT IN ('closed', 'rejected', 'merged')
        ), now_in AS (
            SELECT o.*, g.edition_id AS new_edition, g.grid_id AS new_grid, g.code,
                x.grid_id AS new_exclusive, p.person_id AS new_person, p.assignment_id, p.reason
            FROM open_ones AS o
            CROSS JOIN LATERAL (
                SELECT s.edition_id, s.grid_id, s.code, s.unit_code
                FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id
                WHERE s.geom && o.geom AND ST_Covers(s.geom, o.geom)
                    AND e.kind = 'base' AND e.status <> 'draft' AND e.valid @> moment
                    -- Of a base edition, what lies in it; of an exclusive one, whatever is there.
                    AND (due.kind <> 'base' OR s.edition_id = due.id)
                ORDER BY s.code LIMIT 1
            ) AS g
            LEFT JOIN LATERAL (
                SELECT s.grid_id
                FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id
                WHERE s.geom && o.geom AND ST_Covers(s.geom, o.geom)
                    AND e.kind = 'exclusive' AND e.status <> 'draft' AND e.valid @> moment
                ORDER BY s.code LIMIT 1
            ) AS x ON true
            LEFT JOIN LATERAL wangge_given(x.grid_id, g.grid_id, g.unit_code, moment) AS p
                ON p.place = 1
        ), made AS (
            INSERT INTO incident_events (incident_id, county_code, at, actor, kind, data)
            SELECT n.id, n.county_code, moment, author, 'reassigned', jsonb_build_object(
                'edition', n.new_edition, 'grid', n.new_grid, 'code', n.code,
                'exclusive', n.new_exclusive, 'person', n.new_person,
                'assignment', n.assignment_id, 'reason', COALESCE(n.reason, 'nobody'),
                'from_grid', n.grid_id, 'from_exclusive', n.exclusive_id,
                'from_person', n.person_id)
            FROM now_in AS n
            WHERE (n.grid_id, n.exclusive_id, n.person_id)
                IS DISTINCT FROM (n.new_grid, n.new_exclusive, n.new_person)
                -- An exclusive edition says nothing of places that it neither takes nor gives back.
                AND (due.kind = 'base' OR n.exclusive_id IS DISTINCT FROM n.new_exclusive)
            RETURNING 1
        )
        SELECT count(*) INTO incidents FROM made;
        UPDATE editions SET changed_over_at = moment WHERE id = due.id;
        edition := due.id;
        RETURN NEXT;
    END LOOP;
END
$$;

INSERT INTO column_classes (table_name, class, column_name)
VALUES ('incidents', 'internal', 'exclusive_grid_id');
