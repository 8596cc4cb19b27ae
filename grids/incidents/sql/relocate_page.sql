-- A page of incidents by id: their present place (a later correction is an event), and the grid, the
-- edition that it is of, and whether they are open. What was made anonymous has no place of its own
-- any more. Nothing is NULL, so that every row is as long as the next (grids/incidents/present.py).
SELECT
    i.id,
    COALESCE((m.data ->> 'lon')::float8, ST_X(i.geom), 'NaN') AS lon,
    COALESCE((m.data ->> 'lat')::float8, ST_Y(i.geom), 'NaN') AS lat,
    COALESCE((r.data ->> 'grid')::bigint, i.grid_id, 0) AS grid_id,
    COALESCE((r.data ->> 'edition')::bigint, i.edition_id, 0) AS edition_id,
    i.state NOT IN ('closed', 'rejected', 'merged') AS is_open
FROM incidents AS i
LEFT JOIN LATERAL (
    SELECT v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'reassigned' ORDER BY v.id DESC LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'relocated' ORDER BY v.id DESC LIMIT 1
) AS m ON true
WHERE i.id > %(after)s AND i.anonymised_at IS NULL
    AND starts_with(i.area_code, %(area)s)
    AND (%(since)s::timestamptz IS NULL OR i.reported_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR i.reported_at < %(until)s)
    AND (NOT %(open_only)s OR i.state NOT IN ('closed', 'rejected', 'merged'))
ORDER BY i.id
LIMIT %(size)s
