-- The first schema of wangge. Every rule that can be a constraint is one: what the application
-- forgets, the database refuses.

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Rules used by several tables

-- The codes below a code, as a range of 12-digit numbers: '1501' -> [150100000000, 150199999999].
-- Two areas share ground exactly when these ranges overlap, so an exclusion constraint can say it.
CREATE FUNCTION wangge_code_range(code text) RETURNS int8range
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT int8range(rpad(code, 12, '0')::bigint, rpad(code, 12, '9')::bigint, '[]') $$;

CREATE FUNCTION wangge_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'History is never rewritten; add a row that says what changed.';
END
$$;

-- A camera's nominal field of view as a polygon: heading clockwise from north, metres on the
-- ellipsoid, an arc point every 5 degrees at the most. 360 degrees give a disc.
CREATE FUNCTION wangge_sector(
    apex geometry, heading_deg double precision, hfov_deg double precision, range_m double precision
) RETURNS geometry
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    WITH arc AS (
        SELECT ST_MakeLine(
            ST_Project(
                apex::geography, range_m,
                radians(heading_deg - hfov_deg / 2 + hfov_deg * step / steps)
            )::geometry
            ORDER BY step
        ) AS line
        FROM (SELECT greatest(2, ceil(hfov_deg / 5)::int) AS steps) AS s,
             generate_series(0, s.steps) AS step
    )
    SELECT CASE
        WHEN hfov_deg >= 360 THEN ST_MakePolygon(ST_AddPoint(line, ST_StartPoint(line)))
        ELSE ST_MakePolygon(ST_AddPoint(ST_AddPoint(line, apex, 0), apex))
    END
    FROM arc
$$;
