-- The base grids that hold at a moment, with who answers for each, and one label point a grid.
WITH hits AS (
    SELECT s.grid_id, s.code, substr(s.code, length(s.unit_code) + 1) AS short_code, s.name,
           s.unit_code, s.area_type, s.households, s.target,
           round(s.deviation::numeric, 4)::double precision AS deviation, s.geom
    FROM grid_shapes AS s
    JOIN editions AS e ON e.id = s.edition_id
    WHERE s.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND e.kind = 'base' AND e.status <> 'draft' AND e.valid @> CAST(:at AS timestamptz)
),
areas AS (
    SELECT h.grid_id, h.code, h.short_code, h.name, u.name AS unit_name,
           u.name_en AS unit_name_en, h.area_type, h.households, h.target, h.deviation,
           p.name AS worker,
           ST_AsMVTGeom(
               ST_Transform(h.geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM hits AS h
    LEFT JOIN admin_units AS u
        ON u.code = h.unit_code AND u.valid @> CAST(:at AS timestamptz)
    LEFT JOIN assignments AS a
        ON a.grid_id = h.grid_id AND a.is_primary AND a.valid @> CAST(:at AS timestamptz)
    LEFT JOIN persons AS p ON p.id = a.person_id
),
points AS (
    SELECT grid_id, ST_PointOnSurface(geom) AS point FROM hits WHERE :z >= :labels_from
),
labels AS (
    SELECT a.grid_id, a.code, a.short_code, a.name, a.unit_name, a.unit_name_en, a.households,
           a.deviation, a.worker,
           ST_AsMVTGeom(
               ST_Transform(l.point, 3857), ST_TileEnvelope(:z, :x, :y), :extent, 0
           ) AS geom
    FROM points AS l
    JOIN areas AS a USING (grid_id)
    -- Half-open, so that a point on the line between two tiles is drawn once.
    WHERE ST_X(l.point) >= :tile_west AND ST_X(l.point) < :tile_east
      AND ST_Y(l.point) > :tile_south AND ST_Y(l.point) <= :tile_north
)
SELECT (SELECT COALESCE(ST_AsMVT(areas, 'grids', :extent, 'geom', 'grid_id'), '') FROM areas)
    || (SELECT COALESCE(ST_AsMVT(labels, 'grid_labels', :extent, 'geom', 'grid_id'), '')
        FROM labels)
