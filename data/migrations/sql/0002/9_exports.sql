-- Exports: asked for with a purpose, approved by somebody else above a number of rows, counted.

CREATE TABLE exports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts DEFAULT wangge_account(),
    login text NOT NULL,
    area_code text COLLATE "C" NOT NULL,
    collection text NOT NULL,
    format text NOT NULL CHECK (format IN ('csv', 'xlsx', 'geojson', 'gpkg')),
    filters jsonb NOT NULL,
    -- Leaves the case team: small counts hidden, places moved to their grid's inner point.
    is_shared boolean NOT NULL,
    purpose text NOT NULL CHECK (length(btrim(purpose)) >= 8),
    rows integer NOT NULL CHECK (rows >= 0),
    state text NOT NULL CHECK (state IN ('ready', 'waiting', 'refused')),
    decided_by text,
    decided_at timestamptz,
    decision_note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    downloads integer NOT NULL DEFAULT 0,
    CONSTRAINT exports_decided CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CONSTRAINT exports_by_another CHECK (decided_by <> login)
);
CREATE INDEX exports_account ON exports (account_id, created_at);
ALTER TABLE exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE exports FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON exports FOR SELECT USING (
    account_id = (SELECT wangge_account())
    OR (SELECT wangge_may('exports.approve')) AND wangge_administers(area_code)
);
CREATE POLICY asking ON exports FOR INSERT WITH CHECK (
    account_id = (SELECT wangge_account()) AND (SELECT wangge_may('exports.make'))
    AND decided_by IS NULL AND state <> 'refused'
);
CREATE POLICY fetching ON exports FOR UPDATE USING (account_id = (SELECT wangge_account()));
-- The owner's own work: decisions by the function below, retention.
CREATE POLICY owner ON exports USING ((SELECT wangge_may('*')));
GRANT SELECT, INSERT, UPDATE (downloads) ON exports TO wangge_app;

CREATE FUNCTION wangge_decide_export(
    export uuid, decider text, is_approved boolean, why text, lasts interval
) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    asked exports%ROWTYPE;
    may boolean := wangge_may('exports.approve');
    account uuid := wangge_account();
BEGIN
    SELECT * INTO asked FROM exports WHERE id = export FOR UPDATE;
    IF NOT FOUND OR NOT may OR NOT wangge_administers(asked.area_code) THEN
        RETURN 'unknown';
    ELSIF asked.account_id = account THEN
        RETURN 'own';
    ELSIF asked.state <> 'waiting' THEN
        RETURN asked.state;
    END IF;
    UPDATE exports SET
        state = CASE WHEN is_approved THEN 'ready' ELSE 'refused' END,
        decided_by = decider, decided_at = now(), decision_note = why,
        expires_at = now() + lasts
    WHERE id = export;
    RETURN 'decided';
END
$$;
REVOKE ALL ON FUNCTION wangge_decide_export(uuid, text, boolean, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_decide_export(uuid, text, boolean, text, interval) TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT 'exports', 'internal', unnest(string_to_array(
    'id account_id login area_code collection format filters is_shared purpose rows state '
    'decided_by decided_at decision_note created_at expires_at downloads', ' '));
