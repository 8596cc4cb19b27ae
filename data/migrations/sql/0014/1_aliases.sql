-- What people said that a text means is added to and ended, never written over: who said what, and
-- who took it back, stays to be read until retention removes it.
ALTER TABLE address_aliases
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN ended_by text,
    ADD CONSTRAINT address_aliases_ended CHECK (
        (ended_at IS NULL) = (ended_by IS NULL) AND ended_at >= at
    );
-- Two areas of a county may mean two places by the same words, and need not see each other's.
ALTER TABLE address_aliases DROP CONSTRAINT address_aliases_county_code_key_key;
CREATE UNIQUE INDEX address_aliases_in_force ON address_aliases (county_code, area_code, key)
    WHERE ended_at IS NULL;

-- The only thing that may become another is that it ends.
REVOKE UPDATE ON address_aliases FROM wangge_app;
GRANT UPDATE (ended_at, ended_by) ON address_aliases TO wangge_app;
CREATE FUNCTION wangge_alias_ends_once() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog
    AS $$
BEGIN
    RAISE EXCEPTION 'what was said of an address has ended already' USING ERRCODE = 'check_violation';
END
$$;
CREATE TRIGGER address_aliases_ends_once BEFORE UPDATE ON address_aliases FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION wangge_alias_ends_once();

INSERT INTO column_classes (table_name, class, column_name)
VALUES ('address_aliases', 'internal', 'ended_at'), ('address_aliases', 'internal', 'ended_by');
