-- Administrative units as areas, and one point each to hang the name on.
-- Coarse levels at every zoom, finer ones as the map comes closer. Vertices are snapped to half a
-- unit of the tile before they are transformed; neighbours, which share theirs, keep sharing them.
WITH hits AS (
    SELECT u.id, u.code, u.level, l.key AS level_key, u.name, u.name_en, u.geom
    FROM admin_units AS u
    JOIN admin_levels AS l USING (level)
    WHERE u.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND u.valid @> CAST(:at AS timestamptz)
      AND u.level <= CASE WHEN :z < 3 THEN 2 WHEN :z < 5 THEN 4 WHEN :z < 8 THEN 6
                          WHEN :z < 10 THEN 9 ELSE 12 END
),
areas AS (
    SELECT id, code, level, level_key, name, name_en,
           ST_AsMVTGeom(
               ST_Transform(ST_SnapToGrid(geom, :snap_lon, :snap_lat), 3857),
               ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM hits
),
points AS MATERIALIZED (
    SELECT id, code, level, level_key, name, name_en, ST_PointOnSurface(geom) AS point
    FROM hits
    WHERE level >= CASE WHEN :z < 5 THEN 2 WHEN :z < 8 THEN 4 ELSE 6 END
),
labels AS (
    SELECT id, code, level, level_key, name, name_en,
           ST_AsMVTGeom(
               ST_Transform(point, 3857), ST_TileEnvelope(:z, :x, :y), :extent, 0
           ) AS geom
    FROM points
    -- Half-open, so that a point on the line between two tiles is drawn once.
    WHERE ST_X(point) >= :tile_west AND ST_X(point) < :tile_east
      AND ST_Y(point) > :tile_south AND ST_Y(point) <= :tile_north
)
SELECT (SELECT COALESCE(ST_AsMVT(areas, 'units', :extent, 'geom', 'id'), '') FROM areas)
    || (SELECT COALESCE(ST_AsMVT(labels, 'unit_labels', :extent, 'geom', 'id'), '') FROM labels)
