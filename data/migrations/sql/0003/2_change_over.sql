-- When an edition comes into force, open incidents gain who answers for them now, by an event: the
-- grid and worker of their report time stay as they were.

ALTER TABLE editions ADD COLUMN changed_over_at timestamptz;
UPDATE editions SET changed_over_at = now() WHERE status <> 'draft';

-- Change over to every edition that has come into force since; how many incidents gained an event.
CREATE FUNCTION wangge_change_over(author text) RETURNS TABLE (edition bigint, incidents integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
DECLARE
    due editions%ROWTYPE;
    moment timestamptz := clock_timestamp();
BEGIN
    FOR due IN
        SELECT * FROM editions AS e
        WHERE e.status <> 'draft' AND e.kind = 'base' AND e.changed_over_at IS NULL
            AND lower(e.valid) <= moment
        ORDER BY e.id FOR UPDATE SKIP LOCKED
    LOOP
        WITH open_ones AS MATERIALIZED (
            SELECT i.id, i.county_code, i.geom,
                COALESCE((r.data ->> 'grid')::bigint, i.grid_id) AS grid_id,
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
            SELECT o.*, g.grid_id AS new_grid, g.code, p.person_id AS new_person,
                p.assignment_id, p.reason
            FROM open_ones AS o
            CROSS JOIN LATERAL (
                SELECT s.grid_id, s.code FROM grid_shapes AS s
                WHERE s.edition_id = due.id AND s.geom && o.geom AND ST_Covers(s.geom, o.geom)
                ORDER BY s.code LIMIT 1
            ) AS g
            LEFT JOIN LATERAL wangge_responsible(g.grid_id, moment) AS p ON p.place = 1
        ), made AS (
            INSERT INTO incident_events (incident_id, county_code, at, actor, kind, data)
            SELECT n.id, n.county_code, moment, author, 'reassigned', jsonb_build_object(
                'edition', due.id, 'grid', n.new_grid, 'code', n.code, 'person', n.new_person,
                'assignment', n.assignment_id, 'reason', COALESCE(n.reason, 'nobody'),
                'from_grid', n.grid_id, 'from_person', n.person_id)
            FROM now_in AS n
            WHERE (n.grid_id, n.person_id) IS DISTINCT FROM (n.new_grid, n.new_person)
            RETURNING 1
        )
        SELECT count(*) INTO incidents FROM made;
        UPDATE editions SET changed_over_at = moment WHERE id = due.id;
        edition := due.id;
        RETURN NEXT;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION wangge_change_over(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_change_over(text) TO wangge_app;
