-- What must always hold on the whole database. Each query gives one text per breach. The
-- constraints forbid most of these; a restore with triggers off, or a hand on the tables, does not.

-- invariant: one edition in force for each ground and moment
-- remedy: Roll one of them back
SELECT format('editions %s and %s are both in force on %s', a.id, b.id, a.area_code)
FROM editions AS a
JOIN editions AS b ON a.id < b.id
    AND a.kind = b.kind
    AND a.status <> 'draft'
    AND b.status <> 'draft'
    AND a.valid && b.valid
    AND wangge_code_range(a.area_code) && wangge_code_range(b.area_code);

-- invariant: one worker in charge of each grid at any moment
-- remedy: End one of them
SELECT format('assignments %s and %s are both in charge of grid %s', a.id, b.id, a.grid_id)
FROM assignments AS a
JOIN assignments AS b ON a.id < b.id
    AND a.grid_id = b.grid_id
    AND a.is_primary
    AND b.is_primary AND a.mode_span && b.mode_span
    AND a.valid && b.valid;

-- invariant: every unit's parent is known
-- remedy: Import the parent
SELECT format('unit %s names the parent %s, which is not there', u.code, u.parent_code)
FROM admin_units AS u
WHERE u.parent_code IS NOT NULL
    AND NOT EXISTS (SELECT
FROM admin_units AS p
WHERE p.code = u.parent_code
    AND p.valid && u.valid);

-- invariant: every building with households lies in exactly one grid in force
-- remedy: Draw and publish a new edition
SELECT format('building %s (%s households) lies in %s grids', b.external_id, b.households, count(g.grid_id))
FROM buildings AS b
JOIN editions AS e ON e.kind = 'base'
    AND e.status <> 'draft'
    AND e.valid @> now()
    AND starts_with(b.unit_code, e.area_code)
LEFT JOIN grid_shapes AS g ON g.edition_id = e.id
    AND g.geom && b.point AND ST_Covers(g.geom, b.point)
WHERE b.households > 0
GROUP BY b.id, b.external_id, b.households
HAVING count(g.grid_id) <> 1;

-- invariant: no building is cut by a grid in force
-- remedy: Draw and publish a new edition
SELECT format('building %s is cut by grid %s', b.external_id, g.code)
FROM buildings AS b
JOIN editions AS e ON e.kind = 'base'
    AND e.status <> 'draft'
    AND e.valid @> now()
    AND starts_with(b.unit_code, e.area_code)
JOIN grid_shapes AS g ON g.edition_id = e.id
    AND g.geom && b.point AND ST_Covers(g.geom, b.point)
-- What lies beyond the line of the grid's unit is cut by that line, which no new edition moves.
JOIN admin_units AS u ON u.code = g.unit_code
    AND u.valid @> now()
WHERE GeometryType(b.geom) = 'POLYGON'
    AND NOT ST_Covers(g.geom, b.geom)
    AND ST_Area(ST_Difference(ST_Intersection(b.geom, u.geom), g.geom)::geography)
        > 0.05 + 0.02 * ST_Perimeter(b.geom::geography);

-- invariant: every incident's grid covers its place
-- remedy: Look at the audit log of that incident
SELECT format('incident %s does not lie in its grid %s', i.id, g.code)
FROM incidents AS i
JOIN grid_shapes AS g USING (edition_id, grid_id)
WHERE i.geom IS NOT NULL
    AND NOT ST_Covers(g.geom, i.geom);

-- invariant: every incident's exclusive grid was in force over its place
-- remedy: Look at the audit log of that incident
SELECT format('incident %s does not lie in its exclusive grid %s', i.id, i.exclusive_grid_id)
FROM incidents AS i
WHERE i.exclusive_grid_id IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM grid_shapes AS g
        JOIN editions AS e ON e.id = g.edition_id
        WHERE g.grid_id = i.exclusive_grid_id AND ST_Covers(g.geom, i.geom)
            AND e.kind = 'exclusive' AND e.status <> 'draft' AND e.valid @> i.reported_at
    );

-- invariant: every incident's edition was in force at its report time
-- remedy: Look at the audit log of that incident
SELECT format('incident %s was reported at %s, outside edition %s', i.id, i.reported_at, e.id)
FROM incidents AS i
JOIN editions AS e ON e.id = i.edition_id
WHERE NOT e.valid @> i.reported_at;

-- invariant: every incident's state is what its events say
-- remedy: Look at the audit log of that incident
SELECT format('incident %s is %s, its events say %s', i.id, i.state, coalesce(e.to_state, 'nothing'))
FROM incidents AS i
LEFT JOIN LATERAL (SELECT to_state
FROM incident_events
WHERE incident_id = i.id
    AND to_state IS NOT NULL ORDER BY id DESC LIMIT 1) AS e ON true
WHERE i.state IS DISTINCT
FROM e.to_state;

-- invariant: every incident's steps follow one another
-- remedy: Look at the audit log of that incident
SELECT format('incident %s: event %s starts from %s, the one before ended in %s', incident_id, id, from_state, before)
FROM (SELECT incident_id, id, from_state, lag(to_state) OVER (PARTITION BY incident_id ORDER BY id) AS before
FROM incident_events
WHERE to_state IS NOT NULL) AS steps
WHERE from_state IS DISTINCT
FROM before;

-- invariant: every track fix lies in the partition of its month
-- remedy: Import them anew
SELECT format('%s fixes lie in no month''s partition', count(*))
FROM track_fixes_other
HAVING count(*) > 0;

-- invariant: every track fix was taken while its patrol was under way
-- remedy: Correct the times of the patrol, or delete the fixes: nobody is followed off duty
SELECT format('patrol %s has %s fixes from outside it', p.id, count(*))
FROM track_fixes AS f
JOIN patrols AS p ON p.id = f.patrol_id
WHERE p.state NOT IN ('under_way', 'done') OR p.started_at IS NULL OR f.fixed_at < p.started_at
    OR f.fixed_at > p.ended_at
GROUP BY p.id;

-- invariant: every chain of the audit log ends where its head says, with nothing missing
-- remedy: Run 'wangge audit verify', which names the rows
SELECT format('stream %s has %s entries, the last is %s, and its head says %s', stream,
              coalesce(l.entries, 0), coalesce(l.last, 0), coalesce(h.seq::text, 'nothing'))
FROM audit_heads AS h
FULL JOIN (SELECT stream, count(*) AS entries, max(seq) AS last FROM audit_log GROUP BY stream) AS l
    USING (stream)
WHERE h.seq IS DISTINCT FROM l.last
    OR l.entries IS DISTINCT FROM l.last
    OR h.hash IS DISTINCT FROM (
        SELECT e.hash FROM audit_log AS e WHERE e.stream = l.stream AND e.seq = l.last
    );

-- invariant: append-only tables are guarded
-- remedy: Run 'wangge db upgrade'; if that does not help, restore a backup
SELECT format('table %s has no guard against being %s', name, wrong)
FROM (VALUES
    ('audit_log', '_append_only', 'changed'), ('audit_log', '_no_truncate', 'emptied'),
    ('audit_roots', '_append_only', 'changed'), ('audit_roots', '_no_truncate', 'emptied'),
    ('audit_heads', '_append_only', 'deleted'), ('audit_heads', '_no_truncate', 'emptied'),
    ('audit_heads', '_onward', 'turned back'),
    ('incident_events', '_append_only', 'changed'), ('incident_events', '_no_truncate', 'emptied'),
    ('imports', '_append_only', 'changed'), ('imports', '_no_truncate', 'emptied'),
    ('incidents', '_history', 'changed'), ('incidents', '_no_truncate', 'emptied'),
    ('editions', '_history', 'changed'), ('grid_shapes', '_only_in_draft', 'changed'),
    ('cells', '_only_in_draft', 'changed')
) AS guard (name, ending, wrong)
WHERE NOT EXISTS (
    SELECT FROM pg_trigger
    WHERE tgrelid = name::regclass AND tgenabled IN ('O', 'A') AND tgname = name || ending
);

-- invariant: constraints are validated
-- remedy: Validate it, or restore a backup
SELECT format('constraint %s of %s is not validated', conname, conrelid::regclass)
FROM pg_constraint
WHERE NOT convalidated;
