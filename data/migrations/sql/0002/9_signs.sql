-- Signs in the street with a code that a resident scans to report something, without an account.
-- What comes in by them belongs to one account a county, of role resident, that nobody signs in to.

ALTER TABLE incidents
    DROP CONSTRAINT incidents_method_check,
    ADD CONSTRAINT incidents_method_check
        CHECK (method IN ('gps', 'map', 'address', 'import', 'operator', 'sign'));

CREATE TABLE signs (
    -- Twelve letters and figures that are not mixed up (Crockford's base 32): 60 random bits.
    code text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[0-9a-hjkmnp-tv-z]{12}$'),
    account_id uuid NOT NULL REFERENCES accounts,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    place_name text NOT NULL CHECK (btrim(place_name) <> '' AND length(place_name) <= 100),
    geom geometry(Point, 4326) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT signs_ended CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX signs_area ON signs (area_code);
SELECT wangge_protect('signs', 'in', 'area_code', 'signs.manage', 'signs.manage');
-- What was taken down stays down.
CREATE POLICY ending ON signs AS RESTRICTIVE FOR UPDATE
    USING (true) WITH CHECK ((SELECT wangge_may('*')) OR ended_at IS NOT NULL);
GRANT SELECT, UPDATE (ended_at, ended_by) ON signs TO wangge_app;

-- The account of a county's residents, made with its first sign.
CREATE FUNCTION wangge_residents_account(county text, author text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
DECLARE
    found uuid;
BEGIN
    INSERT INTO accounts (login, name, role, area_code, must_change_password, created_by)
    VALUES ('residents-' || county, '居民扫码上报 ' || county, 'resident', county, false, author)
    ON CONFLICT (login) DO NOTHING;
    SELECT id INTO found FROM accounts WHERE login = 'residents-' || county;
    RETURN found;
END
$$;
REVOKE ALL ON FUNCTION wangge_residents_account(text, text) FROM PUBLIC;

-- Put a sign up, in the caller's area.
CREATE FUNCTION wangge_put_up_sign(
    sign text, county text, what text, place geometry, author text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    area text := wangge_unit_of(place, county);
BEGIN
    IF (wangge_may('signs.manage') AND (
            area COLLATE "C" >= wangge_lo() AND area COLLATE "C" < wangge_hi()
            OR area ^@ ANY (wangge_also()))) IS NOT TRUE
    THEN
        PERFORM wangge_refuse('the place lies outside the area of this account');
    END IF;
    INSERT INTO signs (code, account_id, county_code, area_code, place_name, geom, created_by)
    VALUES (sign, wangge_residents_account(county, author), county, area, what, place, author);
END
$$;
REVOKE ALL ON FUNCTION wangge_put_up_sign(text, text, text, geometry, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_put_up_sign(text, text, text, geometry, text) TO wangge_app;

-- Let a resident in by a sign: for reporting, and for seeing what came in the same way. The grids
-- are seen because the report is to be located; nothing of them is told but the grid's name.
CREATE FUNCTION wangge_enter_by_sign(sign text) RETURNS TABLE (
    account_id uuid, login text, county_code text, area_code text, place_name text,
    lon double precision, lat double precision
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    found signs%ROWTYPE;
    account accounts%ROWTYPE;
BEGIN
    PERFORM set_config('wangge.lo', '0', true), set_config('wangge.hi', ':', true),
        set_config('wangge.rights', '*', true), set_config('wangge.also', '', true),
        set_config('wangge.account', '', true), set_config('wangge.person', '', true),
        set_config('wangge.grids', '', true);
    SELECT * INTO found FROM signs AS s WHERE s.code = sign AND s.ended_at IS NULL;
    SELECT * INTO account FROM accounts AS a WHERE a.id = found.account_id;
    IF account.id IS NULL OR NOT wangge_is_open_account(account, clock_timestamp()) THEN
        PERFORM set_config('wangge.lo', '', true), set_config('wangge.hi', '', true),
            set_config('wangge.rights', '', true);
        RETURN;
    END IF;
    PERFORM set_config('wangge.lo', found.county_code, true),
        set_config('wangge.hi', wangge_after(found.county_code), true),
        set_config('wangge.rights', ',incidents.report,grids.read,', true),
        set_config('wangge.account', account.id::text, true);
    RETURN QUERY SELECT account.id, account.login, found.county_code, found.area_code,
        found.place_name, ST_X(found.geom), ST_Y(found.geom);
END
$$;
REVOKE ALL ON FUNCTION wangge_enter_by_sign(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_enter_by_sign(text) TO wangge_app;
