-- Staged incidents with a place that no grid and no unit covers at their report time.
SELECT i.id, i.lon, i.lat
FROM incoming_incidents AS i
WHERE i.geom IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM editions AS e
        JOIN grid_shapes AS g
            ON g.edition_id = e.id AND g.geom && i.geom AND ST_Covers(g.geom, i.geom)
        WHERE e.kind = 'base' AND e.status <> 'draft' AND e.valid @> i.reported_at
    )
    AND NOT EXISTS (
        SELECT FROM admin_units AS u
        WHERE u.geom && i.geom AND ST_Covers(u.geom, i.geom) AND u.valid @> i.reported_at
    )
