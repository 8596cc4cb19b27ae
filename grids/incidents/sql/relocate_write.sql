-- Note the grid that each of these incidents lies in now, where its last known one is another; for
-- an open one also who answers for it. The grid and worker of its report time stay as they were.
INSERT INTO incident_events (incident_id, county_code, at, actor, kind, note, data)
SELECT i.id, i.county_code, :moment, :actor, 'reassigned', :reason, jsonb_build_object(
    'edition', n.edition, 'grid', n.grid, 'code', n.code, 'exclusive', x.grid_id,
    'person', p.person_id,
    'assignment', p.assignment_id,
    'reason', CASE WHEN o.is_open THEN COALESCE(p.reason, 'nobody') ELSE 'over' END,
    'from_grid', COALESCE((r.data ->> 'grid')::bigint, i.grid_id),
    'from_person',
        CASE WHEN r.id IS NULL THEN i.person_id ELSE (r.data ->> 'person')::uuid END)
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:editions AS bigint[]), CAST(:grids AS bigint[]),
    CAST(:codes AS text[])
) AS n (id, edition, grid, code)
JOIN incidents AS i ON i.id = n.id
CROSS JOIN LATERAL (SELECT i.state NOT IN ('closed', 'rejected', 'merged') AS is_open) AS o
LEFT JOIN LATERAL (
    SELECT v.id, v.data FROM incident_events AS v
    WHERE v.incident_id = i.id AND v.kind = 'reassigned' ORDER BY v.id DESC LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT v.grid_id FROM wangge_over(i.geom, :moment) AS v WHERE v.kind = 'exclusive'
) AS x ON o.is_open
LEFT JOIN LATERAL (
    SELECT * FROM wangge_given(x.grid_id, n.grid, NULL, :moment) WHERE place = 1 AND o.is_open
) AS p ON true
WHERE i.anonymised_at IS NULL
    AND COALESCE((r.data ->> 'grid')::bigint, i.grid_id) IS DISTINCT FROM n.grid
ORDER BY i.id
