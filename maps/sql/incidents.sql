-- Incidents reported in [start, end), a feature for each place. Those closer together than a cell
-- become one feature with their number: a cell is one unit of the tile close up (a repeat address)
-- and a 64th of the tile from afar, or where one tile would hold more than 4,096 features.
WITH hits AS (
    SELECT i.id, i.category, c.kind, i.severity, i.state,
           extract(epoch FROM i.reported_at)::bigint AS reported_at,
           ST_Transform(i.geom, 3857) AS point,
           :z < :single_from OR count(*) OVER () > 4096 AS crowded
    FROM incidents AS i
    JOIN incident_categories AS c ON c.code = i.category
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
           avg(ST_X(point)) AS px, avg(ST_Y(point)) AS py
    FROM hits
    GROUP BY ST_SnapToGrid(
        point, :tile_x_m, :tile_y_m,
        :tile_side_m / CASE WHEN crowded THEN 64 ELSE :extent END,
        :tile_side_m / CASE WHEN crowded THEN 64 ELSE :extent END
    )
),
incidents AS (
    SELECT n, id, category, categories, severity, state, first_reported_at, reported_at,
           ST_AsMVTGeom(
               ST_SetSRID(ST_MakePoint(px, py), 3857),
               ST_TileEnvelope(:z, :x, :y), :extent, 0
           ) AS geom
    FROM cells
)
SELECT COALESCE(ST_AsMVT(incidents, 'incidents', :extent, 'geom'), '') FROM incidents
