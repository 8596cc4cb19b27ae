-- Addresses, buildings or places of 300 m2 with several incidents in a period, the most first.
WITH meant AS MATERIALIZED (
    SELECT i.id, i.county_code, i.category, i.reported_at, i.address, i.geom
    FROM incidents AS i
    WHERE i.reported_at >= :start AND i.reported_at < :end
        AND i.state NOT IN ('merged', 'rejected')
        AND (CAST(:categories AS text[]) IS NULL OR i.category = ANY(CAST(:categories AS text[])))
),
keyed AS (
    SELECT m.*, m.county_code || '/' || k.key AS key, k.label
    FROM meant AS m
    CROSS JOIN LATERAL (
        -- By what somebody wrote: signs and spaces aside, in whatever locale the database is.
        SELECT regexp_replace(
                lower(normalize(m.address, NFKC)), '[\s!-/:-@[-`{-~、。·]', '', 'g'
            ) AS key, m.address AS label
        WHERE :by = 'address'
        UNION ALL
        SELECT b.id::text, coalesce(b.address, b.name, b.external_id)
        FROM (
            SELECT b.id, b.address, b.name, b.external_id, b.geom
            FROM buildings AS b
            -- 15 m and more at any latitude that people live at.
            WHERE b.geom && ST_Expand(m.geom, 0.0005, 0.00014)
            ORDER BY b.geom <-> m.geom, b.id
            LIMIT 1
        ) AS b
        WHERE :by = 'building' AND ST_Distance(b.geom::geography, m.geom::geography) <= 15
        UNION ALL
        SELECT strip.number || '/' || floor(
                ST_X(m.geom) * 111320 * cos(radians((strip.number + 0.5) * :side / 110574)) / :side
            ), NULL
        FROM (SELECT floor(ST_Y(m.geom) * 110574 / :side) AS number) AS strip
        WHERE :by = 'place' AND m.geom IS NOT NULL
    ) AS k
    WHERE k.key <> ''
),
by_category AS (
    SELECT key, category, count(*) AS count FROM keyed GROUP BY 1, 2
),
counted AS (
    SELECT
        k.key COLLATE "C" AS key,
        (array_agg(k.label ORDER BY k.reported_at DESC, k.id))[1] AS label,
        min(k.county_code) AS county_code,
        count(*)::integer AS count,
        (SELECT jsonb_object_agg(c.category, c.count ORDER BY c.category)
         FROM by_category AS c WHERE c.key = k.key) AS categories,
        min(k.reported_at) AS first_at,
        max(k.reported_at) AS last_at,
        avg(ST_X(k.geom)) AS lon,
        avg(ST_Y(k.geom)) AS lat,
        ST_Length(ST_BoundingDiagonal(ST_Collect(k.geom), true)::geography) AS apart_m,
        (array_agg(k.id ORDER BY k.reported_at DESC, k.id))[1:20] AS incidents
    FROM keyed AS k
    GROUP BY k.key
    HAVING count(*) >= :fewest
)
SELECT c.key,
    coalesce(c.label, round(c.lon::numeric, 6) || ',' || round(c.lat::numeric, 6)) AS label,
    c.county_code, c.count, c.categories, c.first_at, c.last_at, c.lon, c.lat, c.apart_m, c.incidents
FROM counted AS c
WHERE CAST(:after_count AS integer) IS NULL
    OR (-c.count, c.key) > (-CAST(:after_count AS integer), :after_key)
ORDER BY -c.count, c.key
LIMIT :limit
