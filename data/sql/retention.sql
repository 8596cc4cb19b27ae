-- What each rule of retention takes, given :days. Two statements an entity: how many rows are due,
-- and the change. They run in one transaction of the owner's with wangge.retention = on.

-- entity: track_fixes
-- due:
SELECT count(*) FROM track_fixes WHERE fixed_at < now() - make_interval(days => :days);
-- act:
WITH gone AS (
    DELETE FROM track_fixes WHERE fixed_at < now() - make_interval(days => :days)
    RETURNING patrol_id, county_code, area_code, fixed_at, geom
)
INSERT INTO track_summaries AS s
    (patrol_id, county_code, area_code, fixes, first_at, last_at, geom)
SELECT patrol_id, min(county_code), min(area_code), count(*), min(fixed_at), max(fixed_at),
    ST_Multi(ST_Union(ST_SnapToGrid(geom, 0.006, 0.0045)))
FROM gone
GROUP BY patrol_id
ON CONFLICT (patrol_id) DO UPDATE SET
    fixes = s.fixes + excluded.fixes,
    first_at = least(s.first_at, excluded.first_at),
    last_at = greatest(s.last_at, excluded.last_at),
    geom = ST_Multi(ST_Union(s.geom, excluded.geom)),
    reduced_at = now();

-- Time is counted from the last event that people made: a new edition's does not prolong it.
-- entity: reporters
-- due:
SELECT count(*) FROM reporters AS r WHERE r.incident_id IN (
    SELECT i.id FROM incidents AS i
    JOIN incident_events AS e ON e.incident_id = i.id AND e.kind <> 'reassigned'
    WHERE i.state IN ('closed', 'rejected', 'merged')
    GROUP BY i.id HAVING max(e.recorded_at) < now() - make_interval(days => :days)
);
-- act:
DELETE FROM reporters AS r WHERE r.incident_id IN (
    SELECT i.id FROM incidents AS i
    JOIN incident_events AS e ON e.incident_id = i.id AND e.kind <> 'reassigned'
    WHERE i.state IN ('closed', 'rejected', 'merged')
    GROUP BY i.id HAVING max(e.recorded_at) < now() - make_interval(days => :days)
);

-- entity: incident_texts
-- due:
SELECT count(*) FROM incidents AS i
WHERE i.anonymised_at IS NULL AND i.state IN ('closed', 'rejected', 'merged')
    AND (SELECT max(e.recorded_at) FROM incident_events AS e
         WHERE e.incident_id = i.id AND e.kind <> 'reassigned')
        < now() - make_interval(days => :days);
-- act:
WITH due AS (
    SELECT i.id FROM incidents AS i
    WHERE i.anonymised_at IS NULL AND i.state IN ('closed', 'rejected', 'merged')
        AND (SELECT max(e.recorded_at) FROM incident_events AS e
         WHERE e.incident_id = i.id AND e.kind <> 'reassigned')
            < now() - make_interval(days => :days)
),
emptied AS (
    UPDATE incident_events SET note = '', data = '{}'
    WHERE incident_id IN (SELECT id FROM due) AND (note <> '' OR data <> '{}')
),
unasked AS (
    DELETE FROM address_reviews WHERE incident_id IN (SELECT id FROM due)
)
-- The place becomes a point inside its grid; where there is no grid, it is rounded to about 1 km.
UPDATE incidents AS i SET
    text = '', address = '', source_x = NULL, source_y = NULL, anonymised_at = now(),
    geom = CASE WHEN i.geom IS NULL THEN NULL ELSE COALESCE(
        (SELECT ST_PointOnSurface(s.geom) FROM grid_shapes AS s
         WHERE s.edition_id = i.edition_id AND s.grid_id = i.grid_id),
        ST_SnapToGrid(i.geom, 0.012, 0.009)
    ) END
WHERE i.id IN (SELECT id FROM due);

-- entity: person_contacts
-- due:
SELECT count(*) FROM persons AS p
WHERE num_nonnulls(p.phone, p.id_number) > 0
    AND EXISTS (SELECT FROM assignments AS a WHERE a.person_id = p.id)
    AND NOT EXISTS (
        SELECT FROM assignments AS a
        WHERE a.person_id = p.id
            AND COALESCE(upper(a.valid), 'infinity') >= now() - make_interval(days => :days)
    );
-- act:
UPDATE persons AS p SET
    phone = NULL, phone_hash = NULL, phone_last4 = NULL,
    id_number = NULL, id_number_hash = NULL, id_number_last4 = NULL
WHERE num_nonnulls(p.phone, p.id_number) > 0
    AND EXISTS (SELECT FROM assignments AS a WHERE a.person_id = p.id)
    AND NOT EXISTS (
        SELECT FROM assignments AS a
        WHERE a.person_id = p.id
            AND COALESCE(upper(a.valid), 'infinity') >= now() - make_interval(days => :days)
    );

-- entity: sessions
-- due:
SELECT count(*) FROM sessions
WHERE least(COALESCE(ended_at, 'infinity'), expires_at) < now() - make_interval(days => :days);
-- act:
DELETE FROM sessions
WHERE least(COALESCE(ended_at, 'infinity'), expires_at) < now() - make_interval(days => :days);

-- entity: import_reports
-- due:
SELECT (
    SELECT count(*) FROM imports
    WHERE report <> '{}' AND at < now() - make_interval(days => :days)
) + (SELECT count(*) FROM import_changes WHERE at < now() - make_interval(days => :days));
-- act:
WITH emptied AS (
    UPDATE imports SET report = '{}'
    WHERE report <> '{}' AND at < now() - make_interval(days => :days)
)
DELETE FROM import_changes WHERE at < now() - make_interval(days => :days);

-- entity: exports
-- due:
SELECT count(*) FROM exports WHERE created_at < now() - make_interval(days => :days);
-- act:
DELETE FROM exports WHERE created_at < now() - make_interval(days => :days);

-- Another name of a unit is about nobody, and stays. What was asked of an incident's address goes
-- with its text (incident_texts).
-- entity: address_aliases
-- due:
SELECT (
    SELECT count(*) FROM address_aliases
    WHERE unit_code IS NULL AND at < now() - make_interval(days => :days)
) + (
    SELECT count(*) FROM address_reviews
    WHERE incident_id IS NULL AND COALESCE(decided_at, at) < now() - make_interval(days => :days)
);
-- act:
WITH unasked AS (
    DELETE FROM address_reviews
    WHERE incident_id IS NULL AND COALESCE(decided_at, at) < now() - make_interval(days => :days)
)
DELETE FROM address_aliases
WHERE unit_code IS NULL AND at < now() - make_interval(days => :days);
