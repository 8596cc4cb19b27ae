-- Boundaries

CREATE TABLE admin_levels (
    level smallint PRIMARY KEY,
    key text NOT NULL UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL
);
COMMENT ON TABLE admin_levels IS 'Levels of administrative units; level = number of code digits';
INSERT INTO admin_levels (level, key, name_zh, name_en) VALUES
    (2, 'province', '省级', 'province'),
    (4, 'prefecture', '地级(盟/市)', 'prefecture or league'),
    (6, 'county', '县级(旗/县/区)', 'county or banner'),
    (9, 'township', '乡级(苏木/乡/镇/街道)', 'township or sumu'),
    (12, 'village', '村级(嘎查/村/社区)', 'village or community');

CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    source text NOT NULL,
    file_name text NOT NULL,
    file_sha256 text NOT NULL CHECK (file_sha256 ~ '^[0-9a-f]{64}$'),
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    kept integer NOT NULL CHECK (kept >= 0),
    changed integer NOT NULL CHECK (changed >= 0),
    rejected integer NOT NULL CHECK (rejected >= 0),
    report jsonb NOT NULL
);
CREATE TRIGGER imports_append_only BEFORE UPDATE OR DELETE ON imports
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();
CREATE TRIGGER imports_no_truncate BEFORE TRUNCATE ON imports
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

CREATE TABLE admin_units (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text COLLATE "C" NOT NULL,
    level smallint NOT NULL REFERENCES admin_levels,
    parent_code text COLLATE "C",
    county_code text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN level >= 6 THEN left(code, 6) END) STORED,
    name text NOT NULL CHECK (btrim(name) <> ''),
    name_en text,
    area_type text CHECK (area_type IN ('urban', 'micro', 'rural', 'pastoral')),
    geom geometry(MultiPolygon, 4326),
    valid tstzrange NOT NULL DEFAULT tstzrange(NULL, NULL),
    source text NOT NULL,
    CONSTRAINT admin_units_code_digits CHECK (code ~ '^[0-9]+$' AND length(code) = level),
    CONSTRAINT admin_units_parent_is_prefix
        CHECK (length(parent_code) < length(code) AND starts_with(code, parent_code)),
    CONSTRAINT admin_units_geom_valid CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom)),
    CONSTRAINT admin_units_valid_not_empty CHECK (NOT isempty(valid)),
    CONSTRAINT admin_units_one_at_a_time EXCLUDE USING gist (code WITH =, valid WITH &&)
);
CREATE INDEX admin_units_geom ON admin_units USING gist (geom);
CREATE INDEX admin_units_code ON admin_units (code);
CREATE INDEX admin_units_parent ON admin_units (parent_code);

CREATE TABLE border_lines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    name text NOT NULL,
    our_side text NOT NULL CHECK (our_side IN ('left', 'right')),
    geom geometry(LineString, 4326) NOT NULL CHECK (ST_IsValid(geom) AND ST_Length(geom) > 0),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);
CREATE INDEX border_lines_geom ON border_lines USING gist (geom);

CREATE TABLE editions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    area_code text COLLATE "C" NOT NULL CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    county_code text COLLATE "C" NOT NULL GENERATED ALWAYS AS (left(area_code, 6)) STORED,
    kind text NOT NULL DEFAULT 'base' CHECK (kind IN ('base', 'micro', 'exclusive')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'superseded')),
    valid tstzrange,
    title text NOT NULL CHECK (btrim(title) <> ''),
    rules jsonb NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    based_on_id bigint REFERENCES editions,
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    approver text,
    published_at timestamptz,
    CONSTRAINT editions_draft_has_no_validity CHECK ((status = 'draft') = (valid IS NULL)),
    CONSTRAINT editions_published_has_approver
        CHECK (status = 'draft' OR (approver IS NOT NULL AND published_at IS NOT NULL)),
    CONSTRAINT editions_active_is_open
        CHECK (status <> 'active' OR upper_inf(valid)),
    CONSTRAINT editions_superseded_is_closed
        CHECK (status <> 'superseded' OR NOT upper_inf(valid)),
    -- One answer: no two published editions of one kind share both ground and time.
    CONSTRAINT editions_one_answer EXCLUDE USING gist (
        wangge_code_range(area_code) WITH &&, kind WITH =, valid WITH &&
    ) WHERE (status <> 'draft')
);
CREATE INDEX editions_county ON editions (county_code, kind, status);
