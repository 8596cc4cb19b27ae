-- Cameras, and the wedge each one nominally sees (no wedge where the heading is not known).
WITH hits AS (
    SELECT id, area_code, name, kind, heading_deg, hfov_deg, range_m, status, optics, geom
    FROM cameras
    -- A wedge reaches into tiles its camera is not in: first every camera within the longest
    -- reach the schema allows (by the index), then its own reach.
    WHERE geom && ST_Expand(
              ST_MakeEnvelope(:west, :south, :east, :north, 4326),
              :lon_per_m * 20000, :lat_per_m * 20000
          )
      AND ST_Expand(geom, :lon_per_m * range_m, :lat_per_m * range_m)
          && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
),
points AS (
    SELECT id, name, kind, heading_deg, hfov_deg, range_m, status, optics,
           ST_AsMVTGeom(
               ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM hits
    WHERE geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
),
wedges AS (
    SELECT id, kind, status, optics,
           ST_AsMVTGeom(
               ST_Transform(
                   wangge_sector(
                       geom,
                       CASE WHEN hfov_deg >= 360 THEN COALESCE(heading_deg, 0)
                            ELSE heading_deg END,
                       hfov_deg, range_m
                   ),
                   3857
               ),
               ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM hits
    WHERE :z >= 13
)
SELECT (SELECT COALESCE(ST_AsMVT(points, 'cameras', :extent, 'geom', 'id'), '') FROM points)
    || (SELECT COALESCE(ST_AsMVT(wedges, 'camera_wedges', :extent, 'geom', 'id'), '') FROM wedges)
       AS tile,
       (SELECT jsonb_object_agg(area_code, n) FROM (
           SELECT area_code, count(*) AS n FROM hits GROUP BY area_code
       ) AS counted) AS seen
