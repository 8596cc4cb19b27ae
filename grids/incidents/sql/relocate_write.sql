-- Note the grid that each of these incidents lies in now, where its last known one is another and its
-- place is still the one that was looked up; for an open one also who answers for it. The grid and
-- worker of its report time stay as they were.
INSERT INTO incident_events (incident_id, county_code, at, actor, kind, note, data)
SELECT i.id, i.county_code, :moment, :actor, 'reassigned', :reason, jsonb_build_object(
    'edition', n.edition, 'grid', n.grid, 'code', n.code,
    'exclusive', CASE WHEN o.is_open THEN NULLIF(n.exclusive, 0) END,
    'person', CASE WHEN o.is_open THEN n.person END,
    'assignment', CASE WHEN o.is_open THEN n.assignment END,
    'reason', CASE WHEN o.is_open THEN COALESCE(n.reason, 'nobody') ELSE 'over' END,
    'from_grid', COALESCE((r.data ->> 'grid')::bigint, i.grid_id),
    'from_person',
        CASE WHEN r.id IS NULL THEN i.person_id ELSE (r.data ->> 'person')::uuid END)
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:lon AS float8[]), CAST(:lat AS float8[]),
    CAST(:editions AS bigint[]), CAST(:grids AS bigint[]), CAST(:codes AS text[]),
    CAST(:exclusives AS bigint[]), CAST(:persons AS uuid[]), CAST(:assignments AS bigint[]),
    CAST(:reasons AS text[])
) AS n (id, lon, lat, edition, grid, code, exclusive, person, assignment, reason)
JOIN incidents AS i ON i.id = n.id
CROSS JOIN LATERAL (SELECT i.state NOT IN ('closed', 'rejected', 'merged') AS is_open) AS o
LEFT JOIN LATERAL (
    SELECT v.id, v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'reassigned' ORDER BY v.id DESC LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'relocated' ORDER BY v.id DESC LIMIT 1
) AS m ON true
WHERE i.anonymised_at IS NULL
    AND COALESCE((r.data ->> 'grid')::bigint, i.grid_id) IS DISTINCT FROM n.grid
    AND COALESCE((m.data ->> 'lon')::float8, ST_X(i.geom)) = n.lon
    AND COALESCE((m.data ->> 'lat')::float8, ST_Y(i.geom)) = n.lat
ORDER BY i.id
