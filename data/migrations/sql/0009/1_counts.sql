-- Whether a county has to do with the caller's area: it lies in it, or the area in it.
CREATE FUNCTION wangge_is_around(county text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT COALESCE(
        county >= wangge_lo() AND county < wangge_hi() OR starts_with(wangge_lo(), county)
        OR EXISTS (
            SELECT FROM unnest(wangge_also()) AS a (code)
            WHERE starts_with(county, a.code) OR starts_with(a.code, county)
        ),
        false
    )
$$;

-- Incidents of a period by grid and category, in the base editions that were in force at its end (or
-- are now, if it is not over). Those that were given a grid of such an edition keep it; the others
-- are carried over by their point, on a shared border to the grid of the lowest code. Where there is
-- no grid, grid_id is NULL. What is counted is what the caller sees.
CREATE FUNCTION wangge_grid_counts(first timestamptz, until timestamptz)
RETURNS TABLE (
    grid_id bigint, category text, has_place boolean, incidents bigint, carried bigint
)
    LANGUAGE sql STABLE
    AS $$
    WITH force AS MATERIALIZED (
        SELECT e.id FROM editions AS e
        WHERE e.kind = 'base' AND e.status <> 'draft'
            AND e.valid @> LEAST(until - interval '1 microsecond', now())
    )
    SELECT h.grid_id, i.category, i.geom IS NOT NULL, count(*),
        count(*) FILTER (WHERE h.is_carried)
    FROM incidents AS i
    LEFT JOIN LATERAL (
        SELECT i.grid_id, false AS is_carried
        WHERE i.grid_id IS NOT NULL AND i.edition_id IN (SELECT id FROM force)
        UNION ALL
        (
            SELECT s.grid_id, true
            FROM grid_shapes AS s
            WHERE (i.grid_id IS NULL OR i.edition_id NOT IN (SELECT id FROM force))
                AND s.geom && i.geom AND ST_Covers(s.geom, i.geom)
                AND s.edition_id IN (SELECT id FROM force)
            ORDER BY s.code LIMIT 1
        )
    ) AS h ON true
    WHERE i.reported_at >= first AND i.reported_at < until
    GROUP BY 1, 2, 3
$$;
REVOKE ALL ON FUNCTION wangge_grid_counts(timestamptz, timestamptz) FROM PUBLIC;

-- The same of whole counties, whatever the caller sees of them, for what is hidden in a shared map
-- must not depend on who looks: two that see parts of it could put theirs together.
CREATE FUNCTION wangge_counts_of_counties(
    counties text[], first timestamptz, until timestamptz
)
RETURNS TABLE (
    grid_id bigint, code text, unit_code text, category text, incidents bigint, carried bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    SELECT s.grid_id, s.code, s.unit_code, c.category, sum(c.incidents)::bigint,
        sum(c.carried)::bigint
    FROM wangge_grid_counts(first, until) AS c
    JOIN grid_shapes AS s ON s.grid_id = c.grid_id AND s.edition_id IN (
        SELECT e.id FROM editions AS e
        WHERE e.kind = 'base' AND e.status <> 'draft'
            AND e.valid @> LEAST(until - interval '1 microsecond', now())
    )
    WHERE s.county_code = ANY(counties)
    GROUP BY 1, 2, 3, 4
$$;
REVOKE ALL ON FUNCTION wangge_counts_of_counties(text[], timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION wangge_shared_counts(first timestamptz, until timestamptz)
RETURNS TABLE (
    grid_id bigint, code text, unit_code text, category text, incidents bigint, carried bigint
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    SELECT c.*
    FROM wangge_counts_of_counties(
        ARRAY(SELECT u.code FROM admin_units AS u WHERE u.level = 6 AND wangge_is_around(u.code)),
        first, until
    ) AS c
    WHERE wangge_may('heatmaps.read') OR wangge_may('exports.make')
$$;
REVOKE ALL ON FUNCTION wangge_shared_counts(timestamptz, timestamptz) FROM PUBLIC;

-- Where the incidents of the caller's whole counties were, for a density that is shared: of those who
-- may see densities some may see no incident.
CREATE FUNCTION wangge_places_of_counties(
    counties text[], first timestamptz, until timestamptz
)
RETURNS TABLE (lon double precision, lat double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    SELECT ST_X(i.geom), ST_Y(i.geom)
    FROM incidents AS i
    WHERE i.county_code = ANY(counties) AND i.reported_at >= first AND i.reported_at < until
        AND i.geom IS NOT NULL
$$;
REVOKE ALL ON FUNCTION wangge_places_of_counties(text[], timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION wangge_shared_places(first timestamptz, until timestamptz)
RETURNS TABLE (lon double precision, lat double precision)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    SELECT p.lon, p.lat
    FROM wangge_places_of_counties(
        ARRAY(SELECT u.code FROM admin_units AS u WHERE u.level = 6 AND wangge_is_around(u.code)),
        first, until
    ) AS p
    WHERE wangge_may('heatmaps.read')
$$;
REVOKE ALL ON FUNCTION wangge_shared_places(timestamptz, timestamptz) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION wangge_grid_counts(timestamptz, timestamptz),
    wangge_shared_counts(timestamptz, timestamptz),
    wangge_shared_places(timestamptz, timestamptz) TO wangge_app;
