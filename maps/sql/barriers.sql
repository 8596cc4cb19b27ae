-- Streets, arterials, rails, rivers, walls and bridges: the lines that grids follow.
WITH hits AS (
    SELECT id, kind, name,
           ST_AsMVTGeom(
               ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM barriers
    WHERE geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND (:z >= 12 OR kind IN ('arterial', 'rail', 'river'))
)
SELECT COALESCE(ST_AsMVT(hits, 'barriers', :extent, 'geom', 'id'), '') FROM hits
