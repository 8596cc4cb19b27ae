-- Patrol routes with the age of their last finished patrol, and their checkpoints.
-- days_since is missing, not zero, where no patrol has been recorded.
WITH hits AS (
    SELECT r.id, r.area_code, r.name, r.means, r.interval_days, r.geom,
           (
               SELECT floor(
                   extract(epoch FROM CAST(:at AS timestamptz) - max(p.ended_at)) / 86400
               )::int
               FROM patrols AS p
               WHERE p.route_id = r.id AND p.state = 'done'
                 AND p.ended_at <= CAST(:at AS timestamptz)
           ) AS days_since
    FROM patrol_routes AS r
    WHERE r.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND r.valid @> CAST(:at AS timestamptz)
),
lines AS (
    SELECT id, name, means, interval_days, days_since, days_since > interval_days AS overdue,
           ST_AsMVTGeom(
               ST_Transform(geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM hits
),
found AS (
    SELECT c.id, c.area_code, c.route_id, c.seq, c.name, r.name AS route_name,
           ST_AsMVTGeom(
               ST_Transform(c.geom, 3857), ST_TileEnvelope(:z, :x, :y), :extent, :buffer
           ) AS geom
    FROM checkpoints AS c
    JOIN patrol_routes AS r ON r.id = c.route_id
    WHERE c.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
      AND r.valid @> CAST(:at AS timestamptz) AND :z >= 9
),
stops AS (
    SELECT id, route_id, seq, name, route_name, geom FROM found
)
SELECT (SELECT COALESCE(ST_AsMVT(lines, 'routes', :extent, 'geom', 'id'), '') FROM lines)
    || (SELECT COALESCE(ST_AsMVT(stops, 'checkpoints', :extent, 'geom', 'id'), '') FROM stops)
       AS tile,
       (SELECT jsonb_object_agg(area_code, n) FROM (
           SELECT area_code, count(*) AS n FROM (
               SELECT area_code FROM hits UNION ALL SELECT area_code FROM found
           ) AS shown GROUP BY area_code
       ) AS counted) AS seen
