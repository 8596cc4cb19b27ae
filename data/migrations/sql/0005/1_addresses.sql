-- The gazetteer: texts to places and back, offline. Both extensions are trusted ones: whoever owns
-- the database may make them.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;

-- Addresses name units with and without the words for what they are (多伦县, 多伦). The list is that of
-- grids/addresses/parsing.py; a test compares the two.
CREATE FUNCTION wangge_unit_stem(name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT regexp_replace(name, '('
        || '嘎查村民委员会|社区居民委员会|嘎查委员会|居民委员会|村民委员会|特别行政区|'
        || '社区居委会|街道办事处|嘎查村|居委会|村委会|民族乡|自治区|自治县|自治州|自治旗|'
        || '行政村|嘎查|地区|新区|林区|社区|苏木|街道|乡|区|县|市|旗|村|盟|省|镇'
        || ')$', '') $$;
CREATE INDEX admin_units_stem ON admin_units (wangge_unit_stem(name));

-- Key places and any other that has a name of its own.
CREATE TABLE places (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    kind text NOT NULL CHECK (kind IN (
        'school', 'hospital', 'police_room', 'court_point', 'mediation_post', 'government',
        'community_office', 'market', 'shop', 'bank', 'station', 'park', 'worship', 'factory',
        'estate', 'building', 'other'
    )),
    name text NOT NULL CHECK (length(btrim(name)) BETWEEN 1 AND 200),
    aliases text[] NOT NULL DEFAULT '{}',
    geom geometry(Point, 4326) NOT NULL CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom)),
    radius_m double precision CHECK (radius_m > 0 AND radius_m <= 20000),
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id)
);
COMMENT ON COLUMN places.radius_m IS 'How far it reaches from its point; NULL: not said';
CREATE INDEX places_geom ON places USING gist (geom);
CREATE INDEX places_area ON places (area_code);

-- House numbers: one at a point, or those from one to another along a stretch of its street.
-- Keys are names as they are compared (grids/addresses/parsing.py).
CREATE TABLE addresses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    label text NOT NULL CHECK (length(btrim(label)) BETWEEN 1 AND 300),
    street text,
    street_key text COLLATE "C",
    number integer CHECK (number BETWEEN 0 AND 999999),
    number_tail text NOT NULL DEFAULT '',
    number_to integer,
    parity text CHECK (parity IN ('odd', 'even', 'both')),
    estate text,
    estate_key text COLLATE "C",
    building text,
    unit text,
    geom geometry(Geometry, 4326) NOT NULL CHECK (ST_IsValid(geom) AND NOT ST_IsEmpty(geom)),
    building_id bigint REFERENCES buildings ON DELETE CASCADE,
    source text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (county_code, source, external_id),
    CONSTRAINT addresses_named CHECK (num_nonnulls(street_key, estate_key) > 0),
    CONSTRAINT addresses_keyed CHECK (
        (street IS NULL) = (street_key IS NULL) AND (estate IS NULL) = (estate_key IS NULL)
    ),
    CONSTRAINT addresses_range CHECK (
        (number_to IS NULL) = (parity IS NULL)
        AND CASE WHEN number_to IS NULL THEN GeometryType(geom) = 'POINT'
                 ELSE GeometryType(geom) = 'LINESTRING' AND number IS NOT NULL
                    AND number_to BETWEEN 0 AND 999999 END
    )
);
COMMENT ON COLUMN addresses.number_to IS
    'Of a range: the number where the line ends; it may be less than where it begins';
CREATE INDEX addresses_geom ON addresses USING gist (geom);
CREATE INDEX addresses_street ON addresses (street_key, number);
CREATE INDEX addresses_estate ON addresses (estate_key, building);
CREATE INDEX addresses_area ON addresses (area_code);
CREATE INDEX addresses_building ON addresses (building_id) WHERE building_id IS NOT NULL;

-- Every name that an address may begin with, in each area that it reaches into: worked out of
-- addresses, places, buildings and streets, as often as these change.
CREATE TABLE address_names (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    kind text NOT NULL CHECK (kind IN ('street', 'estate', 'place')),
    key text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    name text NOT NULL,
    geom geometry(Point, 4326) NOT NULL,
    place_id bigint REFERENCES places ON DELETE CASCADE
);
CREATE INDEX address_names_key ON address_names (key);
-- For the owner: under a policy no operator of pg_trgm is leakproof, and the table is read whole,
-- which holds the names of a county and not its numbers.
CREATE INDEX address_names_trigrams ON address_names USING gin (key gin_trgm_ops);
CREATE INDEX address_names_area ON address_names (area_code);

-- What a person said that a text means: a place, or another name of a unit.
CREATE TABLE address_aliases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    key text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    text text NOT NULL CHECK (length(btrim(text)) BETWEEN 1 AND 200),
    label text NOT NULL,
    unit_code text COLLATE "C" CHECK (unit_code ~ '^[0-9]{6,12}$'),
    geom geometry(Point, 4326),
    author text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (county_code, key),
    CONSTRAINT address_aliases_one_meaning CHECK (num_nonnulls(unit_code, geom) = 1),
    CONSTRAINT address_aliases_in_county CHECK (starts_with(unit_code, county_code))
);
CREATE INDEX address_aliases_key ON address_aliases (key);

CREATE TABLE address_reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    text text NOT NULL CHECK (length(btrim(text)) BETWEEN 1 AND 200),
    candidates jsonb NOT NULL CHECK (jsonb_typeof(candidates) = 'array'),
    incident_id uuid REFERENCES incidents,
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    outcome text CHECK (outcome IN ('candidate', 'elsewhere', 'nowhere')),
    label text,
    geom geometry(Point, 4326),
    decided_at timestamptz,
    decided_by text,
    CONSTRAINT address_reviews_decided CHECK (
        (outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (decided_by IS NULL)
        AND (geom IS NOT NULL) = (COALESCE(outcome, 'nowhere') <> 'nowhere')
    )
);
CREATE INDEX address_reviews_open ON address_reviews (area_code, at) WHERE outcome IS NULL;
CREATE INDEX address_reviews_incident ON address_reviews (incident_id);

-- Each belongs to the unit it lies in; what comes with its area (of its building, its review) keeps it.
DO $$
DECLARE
    tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['places', 'addresses'] LOOP
        EXECUTE format(
            'CREATE TRIGGER %1$s_area BEFORE INSERT ON %1$I FOR EACH ROW '
            'WHEN (NEW.area_code IS NULL) EXECUTE FUNCTION wangge_area_by_place()', tbl);
        EXECUTE format(
            'CREATE TRIGGER %1$s_moved BEFORE UPDATE OF geom, county_code ON %1$I FOR EACH ROW '
            'EXECUTE FUNCTION wangge_area_by_place()', tbl);
    END LOOP;
    FOREACH tbl IN ARRAY ARRAY['places', 'addresses', 'address_names'] LOOP
        PERFORM wangge_protect(tbl::regclass, 'in', 'area_code', 'grids.read', '*');
    END LOOP;
END
$$;
GRANT SELECT ON places, addresses, address_names TO wangge_app;

-- What somebody said is read by those who read what was said of incidents.
-- It serves those who take incidents down, too.
SELECT wangge_protect('address_aliases', 'in', 'area_code',
    $$(SELECT wangge_may('grids.read')) AND (SELECT wangge_may('incidents.report'))$$,
    $$(SELECT wangge_may('incidents.step'))$$, $$(SELECT wangge_may('incidents.step'))$$);
SELECT wangge_protect('address_reviews', 'in', 'area_code',
    $$(SELECT wangge_may('incidents.step'))$$,
    $$(SELECT wangge_may('incidents.report'))$$, $$(SELECT wangge_may('incidents.step'))$$);
GRANT SELECT, INSERT, UPDATE ON address_aliases, address_reviews TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT c.table_name, c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('places', 'internal',
     'id county_code area_code kind name aliases geom radius_m source external_id'),
    ('addresses', 'internal',
     'id county_code area_code label street street_key number number_tail number_to parity estate '
     'estate_key building unit geom building_id source external_id'),
    ('address_names', 'internal', 'id county_code area_code kind key name geom place_id'),
    ('address_aliases', 'internal', 'id county_code area_code unit_code author at'),
    ('address_aliases', 'personal', 'key text label geom'),
    ('address_reviews', 'internal',
     'id county_code area_code incident_id at author outcome decided_at decided_by'),
    ('address_reviews', 'personal', 'text candidates label geom')
) AS c (table_name, class, columns);
