-- Buildings with their household counts: footprints, or a point where only that is known.
WITH hits AS (
    SELECT id, name, kind, floors, households,
           ST_AsMVTGeom(
               ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM buildings
    WHERE geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
)
SELECT COALESCE(ST_AsMVT(hits, 'buildings', :extent, 'geom', 'id'), '') FROM hits
