-- The base grids that hold at a moment, with who answers for each, and one label point a grid.
-- Vertices are snapped to half a unit of the tile before they are transformed: from afar few are
-- left to transform, and two neighbours, which share theirs, keep sharing them.
WITH emergencies AS MATERIALIZED (
    SELECT area_code FROM duty_modes WHERE valid @> CAST(:at AS timestamptz)
),
hits AS MATERIALIZED (
    SELECT s.grid_id, s.unit_code AS area_code, s.code, substr(s.code, length(s.unit_code) + 1) AS short_code, s.name,
           u.name AS unit_name, u.name_en AS unit_name_en, s.area_type, s.households, s.target,
           round(s.deviation::numeric, 4)::double precision AS deviation, p.name AS worker,
           CASE WHEN :z >= :labels_from THEN ST_PointOnSurface(s.geom) END AS point, s.geom
    FROM grid_shapes AS s
    JOIN editions AS e ON e.id = s.edition_id
    LEFT JOIN admin_units AS u
        ON u.code = s.unit_code AND u.valid @> CAST(:at AS timestamptz)
    LEFT JOIN assignments AS a
        ON a.grid_id = s.grid_id AND a.is_primary AND a.valid @> CAST(:at AS timestamptz)
        AND (a.mode = 'any' OR a.mode = CASE
            WHEN EXISTS (SELECT FROM emergencies AS m WHERE starts_with(s.unit_code, m.area_code))
            THEN 'emergency' ELSE 'normal' END)
    LEFT JOIN persons AS p ON p.id = a.person_id
    WHERE s.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND e.kind = 'base' AND e.status <> 'draft' AND e.valid @> CAST(:at AS timestamptz)
),
areas AS (
    SELECT grid_id, code, short_code, name, unit_name, unit_name_en, area_type, households,
           target, deviation, worker,
           ST_AsMVTGeom(
               ST_Transform(ST_SnapToGrid(geom, :snap_lon, :snap_lat), 3857),
               ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM hits
),
labels AS (
    SELECT grid_id, code, short_code, name, unit_name, unit_name_en, households, deviation, worker,
           ST_AsMVTGeom(
               ST_Transform(point, 3857), ST_TileEnvelope(:z, :x, :y), :extent, 0
           ) AS geom
    FROM hits
    -- Half-open, so that a point on the line between two tiles is drawn once.
    WHERE ST_X(point) >= :tile_west AND ST_X(point) < :tile_east
      AND ST_Y(point) > :tile_south AND ST_Y(point) <= :tile_north
)
SELECT (SELECT COALESCE(ST_AsMVT(areas, 'grids', :extent, 'geom', 'grid_id'), '') FROM areas)
    || (SELECT COALESCE(ST_AsMVT(labels, 'grid_labels', :extent, 'geom', 'grid_id'), '')
        FROM labels)
       AS tile,
       (SELECT jsonb_object_agg(area_code, n) FROM (
           SELECT area_code, count(*) AS n FROM hits WHERE worker IS NOT NULL GROUP BY area_code
       ) AS counted) AS seen
