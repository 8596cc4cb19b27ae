-- Cameras and patrols

CREATE TABLE cameras (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    national_id text CHECK (national_id ~ '^[0-9]{20}$'),
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'fixed' CHECK (kind IN ('fixed', 'ptz')),
    heading_deg double precision CHECK (heading_deg >= 0 AND heading_deg < 360),
    hfov_deg double precision NOT NULL CHECK (hfov_deg > 0 AND hfov_deg <= 360),
    range_m double precision NOT NULL CHECK (range_m > 0 AND range_m <= 20000),
    height_m double precision CHECK (height_m BETWEEN -100 AND 1000),
    tilt_deg double precision CHECK (tilt_deg BETWEEN -90 AND 90),
    optics text NOT NULL DEFAULT 'assumed' CHECK (optics IN ('measured', 'assumed')),
    status text NOT NULL DEFAULT 'unknown' CHECK (status IN ('online', 'offline', 'unknown')),
    geom geometry(Point, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);
COMMENT ON COLUMN cameras.heading_deg IS
    'Where the optical axis looks, clockwise from north; NULL: unknown (a full-circle PTZ has none)';
CREATE INDEX cameras_geom ON cameras USING gist (geom);

CREATE TABLE checkpoints (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    route_id bigint NOT NULL REFERENCES patrol_routes ON DELETE CASCADE,
    seq smallint NOT NULL CHECK (seq > 0),
    name text NOT NULL,
    geom geometry(Point, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    UNIQUE (route_id, seq)
);
CREATE INDEX checkpoints_geom ON checkpoints USING gist (geom);

CREATE TABLE patrols (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    route_id bigint REFERENCES patrol_routes,
    team text,
    planned tstzrange,
    started_at timestamptz,
    ended_at timestamptz,
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'under_way', 'done', 'cancelled')),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT patrols_times CHECK (ended_at >= started_at),
    CONSTRAINT patrols_state_fits_times CHECK (
        CASE state
            WHEN 'under_way' THEN started_at IS NOT NULL AND ended_at IS NULL
            WHEN 'done' THEN started_at IS NOT NULL AND ended_at IS NOT NULL
            ELSE true
        END
    )
);

CREATE TABLE track_fixes (
    patrol_id bigint NOT NULL REFERENCES patrols,
    fixed_at timestamptz NOT NULL,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    accuracy_m real CHECK (accuracy_m >= 0),
    geom geometry(Point, 4326) NOT NULL CHECK (NOT ST_IsEmpty(geom)),
    PRIMARY KEY (patrol_id, fixed_at)
) PARTITION BY RANGE (fixed_at);
CREATE INDEX track_fixes_geom ON track_fixes USING gist (geom);
CREATE TABLE track_fixes_other PARTITION OF track_fixes DEFAULT;

-- The partition of a month is made before its first fix; the default one only catches mistakes.
CREATE FUNCTION wangge_track_partition(at timestamptz) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    first timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month')
                        AT TIME ZONE 'UTC';
    name text := 'track_fixes_' || to_char(at AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
    IF to_regclass(name) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF track_fixes FOR VALUES FROM (%L) TO (%L)',
            name, first, next
        );
    END IF;
    RETURN name;
END
$$;
