-- How long personal data is kept, on which basis, and what happens then. Rules are data: a site
-- changes days, never the meaning of an action.

CREATE TABLE retention_rules (
    entity text PRIMARY KEY CHECK (entity IN (
        'track_fixes', 'reporters', 'incident_texts', 'person_contacts', 'sessions',
        'import_reports', 'exports'
    )),
    action text NOT NULL CHECK (action IN ('delete', 'anonymise', 'reduce')),
    days integer NOT NULL CHECK (days BETWEEN 1 AND 36500),
    counted_from text NOT NULL,
    basis_zh text NOT NULL,
    basis_en text NOT NULL
);
INSERT INTO retention_rules (entity, action, days, counted_from, basis_zh, basis_en) VALUES
    ('track_fixes', 'reduce', 30, 'the fix',
     '行踪轨迹属敏感个人信息:履行巡逻考勤所必需,期满归并为约 500 米格点',
     'whereabouts are sensitive: needed to check a patrol, then kept as points of about 500 m'),
    ('reporters', 'delete', 730, 'the closing of the incident',
     '回访所必需,办结两年后删除', 'needed to call back; gone two years after closing'),
    ('incident_texts', 'anonymise', 1825, 'the closing of the incident',
     '案件卷宗保存五年,其后仅保留统计所需字段',
     'a case file is kept for five years, then only what statistics need'),
    ('person_contacts', 'delete', 180, 'the end of the last assignment',
     '履职联系所必需,离岗半年后删除',
     'needed to reach who is on duty; gone half a year after leaving'),
    ('sessions', 'delete', 365, 'the end of the session',
     '网络日志不少于六个月', 'network logs are kept for six months at least'),
    ('import_reports', 'reduce', 365, 'the import',
     '导入报告含被拒行的内容,一年后仅保留计数',
     'reports quote rejected rows; after a year only their counts'),
    ('exports', 'delete', 365, 'the export',
     '导出登记保存一年(审计日志另行保存)', 'the register of exports; the audit log stays');
GRANT SELECT ON retention_rules TO wangge_app;

CREATE TABLE retention_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL CHECK (btrim(actor) <> ''),
    report jsonb NOT NULL
);
CREATE TRIGGER retention_runs_append_only BEFORE UPDATE OR DELETE ON retention_runs
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();

-- What is left of a track: where a patrol was, to about 500 m, and for how long.
CREATE TABLE track_summaries (
    patrol_id bigint PRIMARY KEY REFERENCES patrols,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    fixes integer NOT NULL CHECK (fixes > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    geom geometry(MultiPoint, 4326) NOT NULL,
    reduced_at timestamptz NOT NULL DEFAULT now()
);
SELECT wangge_protect('track_summaries', 'in', 'area_code',
    $$(SELECT wangge_may('patrols.read'))$$, $$(SELECT wangge_may('*'))$$,
    $$(SELECT wangge_may('*'))$$,
    $$(SELECT wangge_may('tracks.own')) AND EXISTS (
        SELECT FROM patrols AS p
        WHERE p.id = patrol_id AND p.person_id = (SELECT wangge_person()))$$);
GRANT SELECT ON track_summaries TO wangge_app;

ALTER TABLE incidents ADD COLUMN anonymised_at timestamptz;

-- Only the retention job, which runs as the owner and says so, may take personal data out of
-- history; nothing else of a row can change with it.
CREATE FUNCTION wangge_is_retention() RETURNS boolean
    LANGUAGE sql STABLE
    AS $$ SELECT wangge_setting('retention') = 'on' AND current_user <> 'wangge_app' $$;

CREATE OR REPLACE FUNCTION wangge_incident_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'incident %: incidents are never deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF wangge_is_retention() THEN
        IF NEW.text <> '' OR NEW.address <> '' OR NEW.anonymised_at IS NULL
           OR OLD.anonymised_at IS NOT NULL
        THEN
            RAISE EXCEPTION 'incident %: retention only empties what was said', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF (OLD.text, OLD.address, OLD.anonymised_at)
        IS DISTINCT FROM (NEW.text, NEW.address, NEW.anonymised_at)
    THEN
        RAISE EXCEPTION 'incident %: what was said at its report time stays', OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Add an event that says what changed.';
    END IF;
    IF (OLD.id, OLD.county_code, OLD.source, OLD.external_id, OLD.reported_at, OLD.received_at,
        OLD.request_sha256, OLD.reported_by)
       IS DISTINCT FROM
       (NEW.id, NEW.county_code, NEW.source, NEW.external_id, NEW.reported_at, NEW.received_at,
        NEW.request_sha256, NEW.reported_by)
       OR OLD.grid_id IS NOT NULL AND (OLD.edition_id, OLD.grid_id)
            IS DISTINCT FROM (NEW.edition_id, NEW.grid_id)
       OR OLD.person_id IS NOT NULL AND (OLD.assignment_id, OLD.person_id)
            IS DISTINCT FROM (NEW.assignment_id, NEW.person_id)
    THEN
        RAISE EXCEPTION 'incident %: what was answered at its report time stays', OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Add an event that says what changed.';
    END IF;
    IF OLD.state <> NEW.state AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'incident %: its state is changed by an event only', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

-- The same for what was noted on the way, and for reports of imports.
CREATE FUNCTION wangge_refuse_change_but_retention() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF wangge_is_retention() AND TG_OP = 'UPDATE' THEN
        IF TG_TABLE_NAME = 'incident_events'
           AND to_jsonb(OLD) - 'note' - 'data' = to_jsonb(NEW) - 'note' - 'data'
           AND to_jsonb(NEW) ->> 'note' = '' AND to_jsonb(NEW) -> 'data' = '{}'
        THEN
            RETURN NEW;
        END IF;
        IF TG_TABLE_NAME = 'imports' AND to_jsonb(OLD) - 'report' = to_jsonb(NEW) - 'report'
           AND to_jsonb(NEW) -> 'report' = '{}'
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'History is never rewritten; add a row that says what changed.';
END
$$;
DROP TRIGGER incident_events_append_only ON incident_events;
CREATE TRIGGER incident_events_append_only BEFORE UPDATE OR DELETE ON incident_events
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change_but_retention();
DROP TRIGGER imports_append_only ON imports;
CREATE TRIGGER imports_append_only BEFORE UPDATE OR DELETE ON imports
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change_but_retention();

INSERT INTO column_classes (table_name, class, column_name)
SELECT c.table_name, c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('retention_rules', 'public', 'entity action days counted_from basis_zh basis_en'),
    ('retention_runs', 'internal', 'id at actor report'),
    ('track_summaries', 'sensitive',
     'patrol_id county_code area_code fixes first_at last_at geom reduced_at'),
    ('incidents', 'internal', 'anonymised_at')
) AS c (table_name, class, columns);
