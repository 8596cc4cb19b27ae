-- Let a caller in, as before; what is new stands beside the moments that it writes down.
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
    -- Once a minute at the most: reading must not become writing. Nor waiting: the row is locked
    -- until a slow request ends, and the others with the same key or session go on without.
    IF found_session.id IS NOT NULL AND found_session.last_seen_at < moment - interval '1 minute'
    THEN
        UPDATE sessions SET last_seen_at = moment
            WHERE id = (
                SELECT id FROM sessions
                WHERE id = found_session.id AND last_seen_at < moment - interval '1 minute'
                FOR UPDATE SKIP LOCKED
            );
    ELSIF found_key.id IS NOT NULL
        AND COALESCE(found_key.last_used_at < moment - interval '1 minute', true)
    THEN
        UPDATE api_keys SET last_used_at = moment
            WHERE id = (
                SELECT id FROM api_keys
                WHERE id = found_key.id
                    AND COALESCE(last_used_at < moment - interval '1 minute', true)
                FOR UPDATE SKIP LOCKED
            );
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
