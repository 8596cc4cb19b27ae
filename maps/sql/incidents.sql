-- Incidents reported in [start, end), a feature for each place. Those closer together than a cell
-- become one feature with their number: a cell is one unit of the tile close up (a repeat address)
-- and a 16th of the tile from afar, or a 64th where one tile would hold more than 4,096 features.
-- Points go straight into units of the tile, by the formulas of the sphere that Web Mercator is
-- on: a hundred times faster than ST_Transform, which works out the same for each of them.
WITH hits AS (
    SELECT i.id, i.area_code, i.category, i.severity, i.state,
           extract(epoch FROM i.reported_at)::bigint AS reported_at,
           least(floor((radians(ST_X(i.geom)) * :radius_m - :tile_x_m) / :unit_m), :extent - 1)
               AS px,
           least(
               floor((:tile_y_m - ln(tan(pi() / 4 + radians(ST_Y(i.geom)) / 2)) * :radius_m)
                     / :unit_m),
               :extent - 1
           ) AS py,
           count(*) OVER () AS total
    FROM incidents AS i
    WHERE i.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      -- Half-open, so that no incident is drawn, or counted, in two tiles.
      AND ST_X(i.geom) >= :tile_west AND ST_X(i.geom) < :tile_east
      AND ST_Y(i.geom) > :tile_south AND ST_Y(i.geom) <= :tile_north
      AND i.reported_at >= CAST(:start AS timestamptz)
      AND i.reported_at < CAST(:end AS timestamptz)
      AND (CAST(:categories AS text[]) IS NULL
           OR i.category = ANY(CAST(:categories AS text[])))
),
cells AS (
    SELECT count(*)::int AS n,
           CASE WHEN count(*) = 1 THEN min(id::text) END AS id,
           mode() WITHIN GROUP (ORDER BY category) AS category,
           count(DISTINCT category)::int AS categories,
           CASE WHEN count(*) = 1 THEN min(severity) END AS severity,
           CASE WHEN count(*) = 1 THEN min(state) END AS state,
           min(reported_at) AS first_reported_at,
           max(reported_at) AS reported_at,
           round(avg(px)) AS px, round(avg(py)) AS py
    FROM (
        SELECT *,
               CASE WHEN :z < :single_from THEN :extent / 16
                    WHEN total > 4096 THEN :extent / 64
                    ELSE 1 END AS cell
        FROM hits
    ) AS sized
    GROUP BY floor(px / cell), floor(py / cell)
),
incidents AS (
    SELECT n, id, category, categories, severity, state, first_reported_at, reported_at,
           ST_MakePoint(px, py) AS geom
    FROM cells
)
SELECT COALESCE(ST_AsMVT(incidents, 'incidents', :extent, 'geom'), '') AS tile,
       (SELECT jsonb_object_agg(area_code, n) FROM (
           SELECT area_code, count(*) AS n FROM hits GROUP BY area_code
       ) AS counted) AS seen
FROM incidents
