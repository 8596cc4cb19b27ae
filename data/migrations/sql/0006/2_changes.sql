-- What compiled answers are made of has changed: a line for each statement, seen by others when it
-- commits, and a word to whoever listens. Readers compare how many lines there are and the last one;
-- a sequence alone would be handed out before the change can be seen.
CREATE TABLE snapshot_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('grids', 'roster', 'units', 'access')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX snapshot_changes_kind ON snapshot_changes (kind, id);

CREATE FUNCTION wangge_note_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
BEGIN
    -- Access is asked anew each second anyway: a word is enough.
    IF TG_ARGV[0] <> 'access' THEN
        INSERT INTO snapshot_changes (kind) VALUES (TG_ARGV[0]);
    END IF;
    PERFORM pg_notify('wangge_changed', TG_ARGV[0]);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION wangge_note_change() FROM PUBLIC;

DO $$
DECLARE
    each text[];
BEGIN
    FOREACH each SLICE 1 IN ARRAY ARRAY[
        ['editions', 'grids', 'INSERT OR UPDATE OR DELETE'],
        ['admin_units', 'units', 'INSERT OR UPDATE OR DELETE'],
        ['assignments', 'roster', 'INSERT OR UPDATE OR DELETE'],
        ['leaves', 'roster', 'INSERT OR UPDATE OR DELETE'],
        ['duty_modes', 'roster', 'INSERT OR UPDATE OR DELETE'],
        ['departments', 'roster', 'INSERT OR UPDATE OR DELETE'],
        ['department_matters', 'roster', 'INSERT OR UPDATE OR DELETE'],
        ['incident_categories', 'roster', 'INSERT OR UPDATE OR DELETE'],
        ['persons', 'roster', 'INSERT OR UPDATE OF name OR DELETE'],
        ['accounts', 'access', 'UPDATE OR DELETE'],
        ['api_keys', 'access', 'UPDATE OF ended_at, expires_at, rights, area_code, per_minute'],
        ['sessions', 'access', 'UPDATE OF ended_at, expires_at'],
        ['area_grants', 'access', 'INSERT OR UPDATE OR DELETE'],
        ['role_rights', 'access', 'INSERT OR UPDATE OR DELETE']
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER %I AFTER %s ON %I FOR EACH STATEMENT '
            'EXECUTE FUNCTION wangge_note_change(%L)',
            each[1] || '_noted', each[3], each[1], each[2]
        );
    END LOOP;
END
$$;

INSERT INTO column_classes (table_name, class, column_name)
SELECT 'snapshot_changes', 'internal', unnest(ARRAY['id', 'kind', 'at']);
