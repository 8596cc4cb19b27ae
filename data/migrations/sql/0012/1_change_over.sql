-- Open incidents follow an edition by their present place: the last that a person said (an event
-- of kind relocated, as grids/incidents/sql/relocate_page.sql reads it), else that of the report.
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
            SELECT i.id, i.county_code, COALESCE(m.place, i.geom) AS place,
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
            LEFT JOIN LATERAL (
                SELECT ST_SetSRID(ST_MakePoint(
                    (v.data ->> 'lon')::float8, (v.data ->> 'lat')::float8), 4326) AS place
                FROM incident_events AS v
                WHERE v.incident_id = i.id AND v.kind = 'relocated' ORDER BY v.id DESC LIMIT 1
            ) AS m ON true
            WHERE starts_with(i.area_code, due.county_code)
                AND COALESCE(m.place, i.geom) IS NOT NULL
                AND i.state NOT IN ('closed', 'rejected', 'merged')
        ), now_in AS (
            SELECT o.*, g.edition_id AS new_edition, g.grid_id AS new_grid, g.code,
                x.grid_id AS new_exclusive, p.person_id AS new_person, p.assignment_id, p.reason
            FROM open_ones AS o
            CROSS JOIN LATERAL (
                SELECT s.edition_id, s.grid_id, s.code, s.unit_code
                FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id
                WHERE s.geom && o.place AND ST_Covers(s.geom, o.place)
                    AND e.kind = 'base' AND e.status <> 'draft' AND e.valid @> moment
                    -- Of a base edition, what lies in it; of an exclusive one, whatever is there.
                    AND (due.kind <> 'base' OR s.edition_id = due.id)
                ORDER BY s.code LIMIT 1
            ) AS g
            LEFT JOIN LATERAL (
                SELECT s.grid_id
                FROM grid_shapes AS s JOIN editions AS e ON e.id = s.edition_id
                WHERE s.geom && o.place AND ST_Covers(s.geom, o.place)
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
