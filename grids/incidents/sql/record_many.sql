-- Geocode and store the incidents staged in incoming_incidents, which the caller has filled.
-- One statement: PostGIS finds the grids, wangge_given the person, for each report time.
WITH place AS MATERIALIZED (
    SELECT DISTINCT ON (i.id) i.id, g.edition_id, g.grid_id, g.unit_code
    FROM incoming_incidents AS i
    JOIN editions AS e
        ON e.kind = 'base' AND e.status <> 'draft' AND e.valid @> i.reported_at
    JOIN grid_shapes AS g
        ON g.edition_id = e.id AND g.geom && i.geom AND ST_Covers(g.geom, i.geom)
    -- On a shared border the lowest code answers.
    ORDER BY i.id, g.code
),
over AS MATERIALIZED (
    SELECT DISTINCT ON (i.id) i.id, g.grid_id
    FROM incoming_incidents AS i
    JOIN editions AS e
        ON e.kind = 'exclusive' AND e.status <> 'draft' AND e.valid @> i.reported_at
    JOIN grid_shapes AS g
        ON g.edition_id = e.id AND g.geom && i.geom AND ST_Covers(g.geom, i.geom)
    ORDER BY i.id, g.code
),
answered AS (
    SELECT
        i.id, p.edition_id, p.grid_id, CASE WHEN p.grid_id IS NOT NULL THEN o.grid_id END
            AS exclusive_grid_id, r.assignment_id, r.person_id,
        CASE
            WHEN i.geom IS NULL THEN 'no_place'
            WHEN p.grid_id IS NULL AND i.is_across THEN 'across_border'
            WHEN p.grid_id IS NULL AND NOT EXISTS (
                SELECT FROM editions AS e
                WHERE e.kind = 'base' AND e.status <> 'draft' AND e.valid @> i.reported_at
            ) THEN 'no_edition'
            WHEN p.grid_id IS NULL THEN 'outside'
            WHEN r.person_id IS NULL THEN 'nobody'
            ELSE r.reason
        END AS reason
    FROM incoming_incidents AS i
    LEFT JOIN place AS p ON p.id = i.id
    LEFT JOIN over AS o ON o.id = i.id
    LEFT JOIN LATERAL (
        -- The condition stands inside, so that nobody is looked for where there is no grid.
        SELECT * FROM wangge_given(o.grid_id, p.grid_id, p.unit_code, i.reported_at)
        WHERE place = 1 AND p.grid_id IS NOT NULL
    ) AS r ON true
),
stored AS (
    INSERT INTO incidents (
        id, county_code, source, external_id, category, severity, text, address, occurred_at,
        reported_at, geom, source_crs, source_x, source_y, accuracy_m, method,
        edition_id, grid_id, exclusive_grid_id, assignment_id, person_id, reason, review,
        area_code, request_sha256
    )
    SELECT
        i.id, i.county_code, i.source, i.external_id, i.category, i.severity, i.text, i.address,
        i.occurred_at, i.reported_at, i.geom, i.source_crs, i.source_x, i.source_y,
        i.accuracy_m, i.method,
        a.edition_id, a.grid_id, a.exclusive_grid_id, a.assignment_id, a.person_id, a.reason,
        CASE
            WHEN a.reason = 'across_border' THEN 'outside'
            WHEN a.reason IN ('no_place', 'outside', 'no_edition', 'nobody') THEN a.reason
        END,
        i.area_code, i.request_sha256
    FROM incoming_incidents AS i
    JOIN answered AS a ON a.id = i.id
    ORDER BY i.reported_at, i.id
    ON CONFLICT DO NOTHING
    RETURNING id, county_code, reported_at, reason, review
),
reported AS (
    INSERT INTO incident_events (incident_id, county_code, at, actor, kind, to_state, data)
    SELECT s.id, s.county_code, s.reported_at, :actor, 'reported', 'reported',
        jsonb_build_object('reason', s.reason) || COALESCE(i.told, '{}')
    FROM stored AS s
    -- A row may stand there twice.
    JOIN (SELECT DISTINCT ON (id) id, told FROM incoming_incidents) AS i ON i.id = s.id
    ORDER BY s.reported_at, s.id
    RETURNING incident_id
)
SELECT s.id, s.review
FROM stored AS s
JOIN reported AS r ON r.incident_id = s.id
