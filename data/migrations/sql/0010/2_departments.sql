-- Departments see the cases that were sent to them, not all of their area: those whose matter decides
-- who comes first, and those that somebody sent by an event.

INSERT INTO rights (key, name_zh, name_en, is_personal) VALUES
    ('incidents.sent', '查看转交本部门的事件', 'see incidents sent to one''s department', true);
DELETE FROM role_rights WHERE role = 'department' AND right_key = 'incidents.read';
INSERT INTO role_rights (role, right_key) VALUES ('department', 'incidents.sent');

CREATE FUNCTION wangge_departments() RETURNS bigint[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT string_to_array(wangge_setting('departments'), ',')::bigint[] $$;

-- The departments a person is an officer of now, its own and those of people it stands in for.
CREATE FUNCTION wangge_departments_of(person uuid, moment timestamptz) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    SELECT string_agg(DISTINCT a.department_id::text, ',')
    FROM assignments AS a
    JOIN departments AS d ON d.id = a.department_id AND d.valid @> moment
    WHERE a.valid @> moment
        AND (
            a.person_id = person
            OR a.person_id IN (
                SELECT l.person_id FROM leaves AS l WHERE l.deputy_id = person AND l.during @> moment
            )
        )
$$;
REVOKE ALL ON FUNCTION wangge_departments_of(uuid, timestamptz) FROM PUBLIC;

-- Let a caller in by the hash of its session's token or of its key. The answer's `reason` is NULL
-- when it is in, else why not: unknown, ended, expired, idle, closed.
CREATE OR REPLACE FUNCTION wangge_enter(session_hash bytea, api_key_hash bytea) RETURNS wangge_caller
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    found_session sessions%ROWTYPE;
    found_key api_keys%ROWTYPE;
    account accounts%ROWTYPE;
    caller wangge_caller;
BEGIN
    -- Policies hold for the owner of this function too: nothing is seen before it looks.
    PERFORM set_config('wangge.lo', '0', true), set_config('wangge.hi', ':', true),
        set_config('wangge.rights', '*', true);
    -- Nor is anything left of somebody who was let in before, in the same transaction.
    PERFORM set_config('wangge.also', '', true), set_config('wangge.account', '', true),
        set_config('wangge.person', '', true), set_config('wangge.grids', '', true),
        set_config('wangge.departments', '', true);
    IF session_hash IS NOT NULL THEN
        SELECT * INTO found_session FROM sessions WHERE token_hash = session_hash;
        IF NOT FOUND THEN
            caller.reason := 'unknown';
        ELSIF found_session.ended_at IS NOT NULL THEN
            caller.reason := 'ended';
        ELSIF found_session.expires_at <= moment THEN
            caller.reason := 'expired';
        ELSIF found_session.last_seen_at + make_interval(secs => found_session.idle_s) <= moment
        THEN
            caller.reason := 'idle';
        ELSE
            SELECT * INTO account FROM accounts WHERE id = found_session.account_id;
        END IF;
    ELSE
        SELECT * INTO found_key FROM api_keys WHERE key_hash = api_key_hash;
        IF NOT FOUND THEN
            caller.reason := 'unknown';
        ELSIF found_key.ended_at IS NOT NULL THEN
            caller.reason := 'ended';
        ELSIF found_key.expires_at <= moment THEN
            caller.reason := 'expired';
        ELSE
            SELECT * INTO account FROM accounts WHERE id = found_key.account_id;
        END IF;
    END IF;
    IF caller.reason IS NULL AND NOT wangge_is_open_account(account, moment) THEN
        caller.reason := 'closed';
    END IF;
    IF caller.reason IS NOT NULL THEN
        PERFORM set_config('wangge.lo', '', true), set_config('wangge.hi', '', true),
            set_config('wangge.rights', '', true);
        RETURN caller;
    END IF;

    caller.account_id := account.id;
    caller.login := account.login;
    caller.name := account.name;
    caller.role := account.role;
    caller.area_code := account.area_code;
    caller.person_id := account.person_id;
    caller.session_id := found_session.id;
    caller.key_id := found_key.id;
    caller.per_minute := found_key.per_minute;
    caller.second_factor := found_session.second_factor;
    caller.must_change_password := found_session.id IS NOT NULL AND account.must_change_password
        AND account.external_subject IS NULL;
    -- A key narrows what its account may see; it never widens it.
    IF found_key.area_code IS NOT NULL THEN
        IF NOT starts_with(found_key.area_code, account.area_code) THEN
            caller.reason := 'closed';
            PERFORM set_config('wangge.lo', '', true), set_config('wangge.hi', '', true),
                set_config('wangge.rights', '', true);
            RETURN caller;
        END IF;
        caller.area_code := found_key.area_code;
    END IF;
    IF NOT caller.must_change_password THEN
        SELECT string_agg(right_key, ',' ORDER BY right_key) INTO caller.rights
        FROM role_rights
        WHERE role = account.role
            AND (found_key.rights IS NULL OR right_key = ANY(found_key.rights));
    END IF;
    IF found_key.id IS NULL THEN
        SELECT string_agg(DISTINCT area_code, ',') INTO caller.also
        FROM area_grants
        WHERE account_id = account.id AND ended_at IS NULL AND valid @> moment;
    END IF;
    -- Once a minute at the most: reading must not become writing.
    IF found_session.id IS NOT NULL AND found_session.last_seen_at < moment - interval '1 minute'
    THEN
        UPDATE sessions SET last_seen_at = moment
            WHERE id = found_session.id AND last_seen_at < moment - interval '1 minute';
    ELSIF found_key.id IS NOT NULL
        AND COALESCE(found_key.last_used_at < moment - interval '1 minute', true)
    THEN
        UPDATE api_keys SET last_used_at = moment
            WHERE id = found_key.id
                AND COALESCE(last_used_at < moment - interval '1 minute', true);
    END IF;
    PERFORM
        set_config('wangge.lo', CASE caller.area_code WHEN '' THEN '0' ELSE caller.area_code END,
                   true),
        set_config('wangge.hi', wangge_after(caller.area_code), true),
        set_config('wangge.also', COALESCE(caller.also, ''), true),
        set_config('wangge.rights', ',' || COALESCE(caller.rights, '') || ',', true),
        set_config('wangge.account', account.id::text, true),
        set_config('wangge.person', COALESCE(account.person_id::text, ''), true),
        set_config(
            'wangge.grids',
            CASE WHEN account.person_id IS NULL THEN ''
                 ELSE COALESCE(wangge_grids_of(account.person_id, moment), '') END,
            true
        ),
        set_config(
            'wangge.departments',
            CASE WHEN account.person_id IS NULL
                    OR position(',incidents.sent,' IN ',' || COALESCE(caller.rights, '') || ',') = 0
                 THEN ''
                 ELSE COALESCE(wangge_departments_of(account.person_id, moment), '') END,
            true
        );
    RETURN caller;
END
$$;

-- What was sent to whom: the truth, and the index by which a department finds its cases. The same
-- departments stand on the incident itself, where its policy compares them: a look into a table
-- there would have its cost added to every plan on incidents, whoever asks.
CREATE TABLE incident_departments (
    department_id bigint NOT NULL REFERENCES departments,
    incident_id uuid NOT NULL REFERENCES incidents,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    is_lead boolean NOT NULL,
    -- NULL: by its matter, when it was reported.
    event_id bigint REFERENCES incident_events,
    at timestamptz NOT NULL,
    PRIMARY KEY (department_id, incident_id)
);
CREATE INDEX incident_departments_incident ON incident_departments (incident_id);

ALTER TABLE incidents ADD COLUMN department_ids bigint[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN incidents.department_ids IS
    'Departments it was sent to; kept by triggers beside incident_departments';

-- Departments that a matter decides for, in an area at a moment, those that lead first.
CREATE FUNCTION wangge_routed(matter text, area text, moment timestamptz)
RETURNS TABLE (department_id bigint, is_lead boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    SELECT d.id, m.is_lead
    FROM department_matters AS m
    JOIN departments AS d ON d.id = m.department_id
    JOIN incident_categories AS c ON c.code = m.category
    WHERE m.category = matter AND c.routed_by = 'matter'
        AND starts_with(area, d.area_code) AND d.valid @> moment
    ORDER BY NOT m.is_lead, d.id
$$;
REVOKE ALL ON FUNCTION wangge_routed(text, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION wangge_route_incident() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
BEGIN
    NEW.department_ids := '{}';
    -- Most matters are decided by the place: they cost no more than this look.
    IF EXISTS (
        SELECT FROM incident_categories AS c
        WHERE c.code = NEW.category AND c.routed_by = 'matter'
    ) THEN
        NEW.department_ids := ARRAY(
            SELECT r.department_id
            FROM wangge_routed(NEW.category, NEW.area_code, NEW.reported_at) AS r
        );
    END IF;
    RETURN NEW;
END
$$;
-- After incidents_area, which tells the area: triggers fire in the order of their names.
CREATE TRIGGER incidents_routed BEFORE INSERT ON incidents
    FOR EACH ROW EXECUTE FUNCTION wangge_route_incident();

CREATE FUNCTION wangge_list_departments(incident uuid) RETURNS void
    LANGUAGE sql
    AS $$
    UPDATE incidents AS i SET department_ids = ARRAY(
        SELECT d.department_id FROM incident_departments AS d
        WHERE d.incident_id = i.id ORDER BY NOT d.is_lead, d.department_id
    )
    WHERE i.id = incident
$$;
REVOKE ALL ON FUNCTION wangge_list_departments(uuid) FROM PUBLIC;

CREATE FUNCTION wangge_note_routed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE incident_departments SET area_code = NEW.area_code WHERE incident_id = NEW.id;
    END IF;
    INSERT INTO incident_departments
        (department_id, incident_id, county_code, area_code, is_lead, at)
    SELECT r.department_id, NEW.id, NEW.county_code, NEW.area_code, r.is_lead, NEW.reported_at
    FROM wangge_routed(NEW.category, NEW.area_code, NEW.reported_at) AS r
    ON CONFLICT DO NOTHING;
    IF TG_OP = 'UPDATE' THEN
        PERFORM wangge_list_departments(NEW.id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER incidents_routed_noted AFTER INSERT ON incidents
    FOR EACH ROW WHEN (NEW.department_ids <> '{}') EXECUTE FUNCTION wangge_note_routed();
-- One that had no place when it was reported, and has one now.
CREATE TRIGGER incidents_routed_anew AFTER UPDATE OF grid_id ON incidents
    FOR EACH ROW WHEN (OLD.area_code <> NEW.area_code) EXECUTE FUNCTION wangge_note_routed();

-- An event may send it on: data.departments = {"lead": number or null, "joint": [numbers]}. Whoever
-- had it before keeps it in sight, since they have worked on it.
CREATE FUNCTION wangge_note_sent() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
BEGIN
    INSERT INTO incident_departments AS known
        (department_id, incident_id, county_code, area_code, is_lead, event_id, at)
    SELECT DISTINCT ON (s.department) s.department, NEW.incident_id, NEW.county_code,
        NEW.area_code, s.is_lead, NEW.id, NEW.at
    FROM (
        SELECT (NEW.data #>> '{departments,lead}')::bigint AS department, true AS is_lead
        UNION ALL
        SELECT j.value::bigint, false
        FROM jsonb_array_elements_text(NEW.data #> '{departments,joint}') AS j
    ) AS s
    WHERE s.department IS NOT NULL
    ORDER BY s.department, s.is_lead DESC
    ON CONFLICT (department_id, incident_id) DO UPDATE
        SET is_lead = EXCLUDED.is_lead, event_id = EXCLUDED.event_id, at = EXCLUDED.at
        WHERE known.is_lead <> EXCLUDED.is_lead;
    PERFORM wangge_list_departments(NEW.incident_id);
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_events_sent AFTER INSERT ON incident_events
    FOR EACH ROW WHEN (NEW.data ? 'departments') EXECUTE FUNCTION wangge_note_sent();

-- What was routed by matter before there was such a list
DO $$
BEGIN
    INSERT INTO incident_departments
        (department_id, incident_id, county_code, area_code, is_lead, at)
    SELECT r.department_id, i.id, i.county_code, i.area_code, r.is_lead, i.reported_at
    FROM incidents AS i
    JOIN incident_categories AS c ON c.code = i.category AND c.routed_by = 'matter'
    CROSS JOIN LATERAL wangge_routed(i.category, i.area_code, i.reported_at) AS r;
    UPDATE incidents AS i SET department_ids = s.departments
    FROM (
        SELECT d.incident_id,
            array_agg(d.department_id ORDER BY NOT d.is_lead, d.department_id) AS departments
        FROM incident_departments AS d GROUP BY d.incident_id
    ) AS s
    WHERE s.incident_id = i.id;
END
$$;

REVOKE ALL ON FUNCTION wangge_route_incident(), wangge_note_routed(), wangge_note_sent()
    FROM PUBLIC;
-- Nothing but these triggers writes the list: it decides who sees the incident.
CREATE TRIGGER incidents_sent_by_event BEFORE UPDATE OF department_ids ON incidents
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION wangge_refuse_change();

-- Who sees and moves incidents, once more

SELECT wangge_protect('incident_departments', 'in', 'area_code',
    $$(SELECT wangge_may('incidents.read')) OR (SELECT wangge_may('incidents.sent'))
      AND department_id = ANY((SELECT wangge_departments())::bigint[])$$,
    $$(SELECT wangge_may('*'))$$, $$(SELECT wangge_may('*'))$$);
GRANT SELECT ON incident_departments TO wangge_app;

DROP POLICY reading ON incidents;
DROP POLICY adding ON incidents;
DROP POLICY changing ON incidents;
DROP POLICY removing ON incidents;
SELECT wangge_protect('incidents', 'in', 'area_code',
    $$(SELECT wangge_may('incidents.read')) OR (SELECT wangge_may('incidents.own'))
      AND (person_id = (SELECT wangge_person())
           OR grid_id = ANY((SELECT wangge_grids())::bigint[])
           OR exclusive_grid_id = ANY((SELECT wangge_grids())::bigint[]))
      OR (SELECT wangge_may('incidents.sent'))
      AND department_ids && (SELECT wangge_departments())::bigint[]$$,
    $$(SELECT wangge_may('incidents.report'))$$,
    $$(SELECT wangge_may('incidents.step')) AND ((SELECT wangge_may('incidents.read'))
      OR person_id = (SELECT wangge_person())
      OR grid_id = ANY((SELECT wangge_grids())::bigint[])
      OR exclusive_grid_id = ANY((SELECT wangge_grids())::bigint[])
      OR (SELECT wangge_may('incidents.sent'))
      AND department_ids && (SELECT wangge_departments())::bigint[])$$,
    $$reported_by = (SELECT wangge_account())$$);

INSERT INTO column_classes (table_name, class, column_name)
SELECT c.table_name, c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('incidents', 'internal', 'department_ids'),
    ('incident_departments', 'internal',
     'department_id incident_id county_code area_code is_lead event_id at')
) AS c (table_name, class, columns);
