-- Who sees and changes accounts: everybody their own, administrators those of their area. Secrets
-- (hashes of passwords, tokens and keys, TOTP) are granted to nobody; functions of the owner's
-- use them, each for one thing, each checking rights and area itself: a superuser who owns them
-- passes every policy. What they ask has to be TRUE: a comparison with NULL is no leave.

CREATE FUNCTION wangge_administers(area text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The whole installation is '' and sorts before every scope but the whole one.
    SELECT area IS NOT NULL
        AND COALESCE(COALESCE(NULLIF(area, ''), '0') COLLATE "C" >= wangge_lo(), false)
        AND COALESCE(COALESCE(NULLIF(area, ''), '0') COLLATE "C" < wangge_hi(), false)
        AND (wangge_may('accounts.manage') OR wangge_may('roles.assign')
             OR wangge_may('grants.give') OR wangge_may('keys.manage'))
$$;

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON accounts FOR SELECT
    USING (id = (SELECT wangge_account()) OR wangge_administers(area_code));
CREATE POLICY adding ON accounts FOR INSERT
    WITH CHECK (wangge_administers(area_code) AND (SELECT wangge_may('accounts.manage')));
CREATE POLICY changing ON accounts FOR UPDATE
    USING (id = (SELECT wangge_account()) OR wangge_administers(area_code));
GRANT SELECT (
    id, login, name, role, area_code, person_id, valid, disabled_at, password_set_at,
    must_change_password, totp_confirmed_at, external_subject, last_signed_in_at, created_at,
    created_by
) ON accounts TO wangge_app;

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
-- What was ended stays ended.
CREATE POLICY own ON sessions
    USING (
        account_id = (SELECT wangge_account())
        OR (SELECT wangge_may('accounts.manage'))
            AND EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id)
    );
CREATE POLICY ending ON sessions AS RESTRICTIVE FOR UPDATE
    USING (true) WITH CHECK ((SELECT wangge_may('*')) OR ended_at IS NOT NULL);
GRANT SELECT (
    id, account_id, created_at, last_seen_at, expires_at, idle_s, second_factor, address, agent,
    ended_at, ended_by
) ON sessions TO wangge_app;
GRANT UPDATE (ended_at, ended_by) ON sessions TO wangge_app;

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON api_keys FOR SELECT
    USING (EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id));
CREATE POLICY writing ON api_keys
    USING ((SELECT wangge_may('keys.manage'))
           AND EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id));
CREATE POLICY ending ON api_keys AS RESTRICTIVE FOR UPDATE
    USING (true) WITH CHECK ((SELECT wangge_may('*')) OR ended_at IS NOT NULL);
GRANT SELECT (
    id, account_id, name, rights, area_code, per_minute, expires_at, last_used_at, created_at,
    created_by, ended_at, ended_by
) ON api_keys TO wangge_app;
GRANT UPDATE (ended_at, ended_by) ON api_keys TO wangge_app;

ALTER TABLE area_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE area_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON area_grants FOR SELECT
    USING (EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id));
CREATE POLICY writing ON area_grants
    USING (
        account_id = (SELECT wangge_account()) AND kind = 'break_glass'
        OR (SELECT wangge_may('grants.give'))
            AND EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id)
    );
GRANT SELECT ON area_grants TO wangge_app;

CREATE FUNCTION wangge_refuse(what text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = what;
END
$$;
