-- Grids

CREATE TABLE grids (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    kind text NOT NULL DEFAULT 'base' CHECK (kind IN ('base', 'micro', 'exclusive')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE grids IS 'The identity of a grid; outlives its shapes';

CREATE TABLE grid_shapes (
    edition_id bigint NOT NULL REFERENCES editions ON DELETE CASCADE,
    grid_id bigint NOT NULL REFERENCES grids,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    code text COLLATE "C" NOT NULL,
    unit_code text COLLATE "C" NOT NULL,
    name text NOT NULL DEFAULT '',
    area_type text NOT NULL CHECK (area_type IN ('urban', 'micro', 'rural', 'pastoral')),
    households integer NOT NULL CHECK (households >= 0),
    buildings integer NOT NULL CHECK (buildings >= 0),
    target integer NOT NULL CHECK (target > 0),
    deviation double precision NOT NULL
        GENERATED ALWAYS AS (households::double precision / target - 1) STORED,
    compactness double precision NOT NULL CHECK (compactness BETWEEN 0 AND 1),
    area_m2 double precision NOT NULL CHECK (area_m2 > 0),
    geom geometry(Polygon, 4326) NOT NULL,
    PRIMARY KEY (edition_id, grid_id),
    UNIQUE (edition_id, code),
    CONSTRAINT grid_shapes_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom)),
    CONSTRAINT grid_shapes_code_in_unit
        CHECK (code ~ '^[0-9]+$' AND unit_code ~ '^[0-9]+$'
               AND starts_with(code, unit_code) AND length(code) > length(unit_code)),
    CONSTRAINT grid_shapes_in_county CHECK (starts_with(unit_code, county_code))
);
CREATE INDEX grid_shapes_geom ON grid_shapes USING gist (geom);
CREATE INDEX grid_shapes_grid ON grid_shapes (grid_id);

CREATE TABLE buildings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    unit_code text COLLATE "C" CHECK (unit_code ~ '^[0-9]{12}$'),
    name text,
    address text,
    kind text,
    floors smallint CHECK (floors BETWEEN 0 AND 200),
    households_registered integer CHECK (households_registered >= 0),
    households_resident integer CHECK (households_resident >= 0),
    households_occupied integer CHECK (households_occupied >= 0),
    -- The count that planning and rates use: who lives there, else who is registered there.
    households integer NOT NULL GENERATED ALWAYS AS (
        COALESCE(households_resident, households_registered, households_occupied, 0)
    ) STORED,
    counted_on date,
    geom geometry(Geometry, 4326) NOT NULL,
    point geometry(Point, 4326) NOT NULL
        GENERATED ALWAYS AS (ST_PointOnSurface(geom)) STORED,
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT buildings_unit_in_county CHECK (starts_with(unit_code, county_code)),
    CONSTRAINT buildings_geom_kind
        CHECK (GeometryType(geom) IN ('POINT', 'POLYGON', 'MULTIPOLYGON')),
    CONSTRAINT buildings_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom))
);
CREATE INDEX buildings_geom ON buildings USING gist (geom);
CREATE INDEX buildings_point ON buildings USING gist (point);

CREATE TABLE barriers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    kind text NOT NULL
        CHECK (kind IN ('street', 'arterial', 'rail', 'river', 'wall', 'bridge')),
    name text,
    geom geometry(Geometry, 4326) NOT NULL,
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT barriers_geom_kind CHECK (
        GeometryType(geom) = CASE WHEN kind = 'bridge' THEN 'POINT' ELSE 'LINESTRING' END
    ),
    CONSTRAINT barriers_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom))
);
CREATE INDEX barriers_geom ON barriers USING gist (geom);

CREATE TABLE cells (
    edition_id bigint NOT NULL REFERENCES editions ON DELETE CASCADE,
    cell_id integer NOT NULL,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    grid_id bigint NOT NULL,
    unit_code text COLLATE "C" NOT NULL,
    block integer NOT NULL,
    households integer NOT NULL CHECK (households >= 0),
    building_ids bigint[] NOT NULL DEFAULT '{}',
    geom geometry(Polygon, 4326) NOT NULL,
    PRIMARY KEY (edition_id, cell_id),
    FOREIGN KEY (edition_id, grid_id) REFERENCES grid_shapes
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX cells_geom ON cells USING gist (geom);
CREATE INDEX cells_grid ON cells (edition_id, grid_id);

-- A published edition is history: its shapes and cells stay as they were on the day.
CREATE FUNCTION wangge_only_in_draft() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    edition bigint := CASE WHEN TG_OP = 'DELETE' THEN OLD.edition_id ELSE NEW.edition_id END;
    state text;
BEGIN
    SELECT status INTO state FROM editions WHERE id = edition;
    -- No row: the draft itself is being deleted and takes its shapes along.
    IF state IS NOT NULL AND state <> 'draft' THEN
        RAISE EXCEPTION 'edition % is %: its % stay as published', edition, state, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', HINT = 'Make a new draft and publish that.';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER grid_shapes_only_in_draft BEFORE INSERT OR UPDATE OR DELETE ON grid_shapes
    FOR EACH ROW EXECUTE FUNCTION wangge_only_in_draft();
CREATE TRIGGER cells_only_in_draft BEFORE INSERT OR UPDATE OR DELETE ON cells
    FOR EACH ROW EXECUTE FUNCTION wangge_only_in_draft();

CREATE FUNCTION wangge_edition_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' THEN
            RAISE EXCEPTION 'edition % is %: it stays', OLD.id, OLD.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF (OLD.area_code, OLD.kind, OLD.author) IS DISTINCT FROM (NEW.area_code, NEW.kind, NEW.author)
       OR OLD.status <> 'draft' AND (
            (OLD.published_at, OLD.approver, OLD.rules, lower(OLD.valid))
                IS DISTINCT FROM (NEW.published_at, NEW.approver, NEW.rules, lower(NEW.valid))
            OR NOT (OLD.status = 'active' AND NEW.status IN ('active', 'superseded')
                    OR OLD.status = NEW.status AND OLD.valid = NEW.valid)
       )
    THEN
        RAISE EXCEPTION 'edition % is %: it can only be superseded', OLD.id, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER editions_history BEFORE UPDATE OR DELETE ON editions
    FOR EACH ROW EXECUTE FUNCTION wangge_edition_history();
