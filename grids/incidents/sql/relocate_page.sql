-- A page of incidents by id: their present place (a later correction is an event), and the grid and
-- state that they have now. What was made anonymous has no place of its own any more.
SELECT
    i.id, i.state,
    COALESCE((m.data ->> 'lon')::float8, ST_X(i.geom)) AS lon,
    COALESCE((m.data ->> 'lat')::float8, ST_Y(i.geom)) AS lat,
    COALESCE((r.data ->> 'grid')::bigint, i.grid_id) AS grid_id,
    COALESCE(r.data ->> 'code', s.code) AS code
FROM incidents AS i
LEFT JOIN LATERAL (
    SELECT v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'reassigned' ORDER BY v.id DESC LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'relocated' ORDER BY v.id DESC LIMIT 1
) AS m ON true
LEFT JOIN grid_shapes AS s ON s.edition_id = i.edition_id AND s.grid_id = i.grid_id
WHERE i.id > :after AND i.anonymised_at IS NULL
    AND starts_with(i.area_code, :area)
    AND (CAST(:since AS timestamptz) IS NULL OR i.reported_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR i.reported_at < :until)
    AND (NOT :open_only OR i.state NOT IN ('closed', 'rejected', 'merged'))
ORDER BY i.id
LIMIT :size
