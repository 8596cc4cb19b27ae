-- Stretches of the country border.
WITH lines AS (
    SELECT id, name, our_side,
           ST_AsMVTGeom(
               ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM border_lines
    WHERE geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
)
SELECT COALESCE(ST_AsMVT(lines, 'borders', :extent, 'geom', 'id'), '') FROM lines
