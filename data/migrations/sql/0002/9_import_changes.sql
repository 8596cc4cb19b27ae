-- What an import changed or took away, as it was before: with its author, apart from the audit log,
-- which holds no values. Kept for as long as the rule of import reports says.

CREATE TABLE import_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL CHECK (btrim(actor) <> ''),
    action text NOT NULL CHECK (action IN ('import.change', 'import.remove', 'import.end')),
    object_kind text NOT NULL,
    object_id text NOT NULL,
    county_code text COLLATE "C",
    file text NOT NULL,
    detail jsonb NOT NULL
);
CREATE INDEX import_changes_object ON import_changes (object_kind, object_id);
CREATE INDEX import_changes_time ON import_changes (at);

CREATE FUNCTION wangge_refuse_change_until_due() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' AND wangge_is_retention() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'History is never rewritten; add a row that says what changed.';
END
$$;
CREATE TRIGGER import_changes_append_only BEFORE UPDATE OR DELETE ON import_changes
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change_until_due();
CREATE TRIGGER import_changes_no_truncate BEFORE TRUNCATE ON import_changes
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

-- The owner's own: the service has no use for it.
ALTER TABLE import_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON import_changes USING ((SELECT wangge_may('*')));

INSERT INTO column_classes (table_name, class, column_name)
SELECT 'import_changes', c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('internal', 'id at actor action object_kind object_id county_code file'),
    ('personal', 'detail')
) AS c (class, columns);
