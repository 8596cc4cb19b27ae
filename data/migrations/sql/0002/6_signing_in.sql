-- Who sees and changes accounts: everybody their own, administrators those of their area. Secrets
-- (hashes of passwords, tokens and keys, TOTP) are granted to nobody; functions of the owner's
-- use them.

CREATE FUNCTION wangge_administers(area text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- The whole installation is '' and sorts before every scope but the whole one.
    SELECT COALESCE(NULLIF(area, ''), '0') COLLATE "C" >= wangge_lo()
        AND COALESCE(NULLIF(area, ''), '0') COLLATE "C" < wangge_hi()
        AND (wangge_may('accounts.manage') OR wangge_may('roles.assign')
             OR wangge_may('grants.give') OR wangge_may('keys.manage'))
$$;

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON accounts FOR SELECT
    USING (id = (SELECT wangge_account()) OR wangge_administers(area_code));
CREATE POLICY adding ON accounts FOR INSERT
    WITH CHECK (wangge_administers(area_code) AND (SELECT wangge_may('accounts.manage')));
CREATE POLICY changing ON accounts FOR UPDATE USING (wangge_administers(area_code));
GRANT SELECT (
    id, login, name, role, area_code, person_id, valid, disabled_at, password_set_at,
    must_change_password, totp_confirmed_at, external_subject, failed_attempts, locked_until,
    last_signed_in_at, created_at, created_by
) ON accounts TO wangge_app;

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (
    account_id = (SELECT wangge_account())
    OR (SELECT wangge_may('accounts.manage'))
        AND EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id)
);
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
GRANT SELECT (
    id, account_id, name, rights, area_code, per_minute, expires_at, last_used_at, created_at,
    created_by, ended_at, ended_by
) ON api_keys TO wangge_app;
GRANT INSERT, UPDATE (ended_at, ended_by) ON api_keys TO wangge_app;

ALTER TABLE area_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE area_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY reading ON area_grants FOR SELECT
    USING (EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id));
CREATE POLICY writing ON area_grants
    USING ((SELECT wangge_may('grants.give'))
           AND EXISTS (SELECT FROM accounts AS a WHERE a.id = account_id));
GRANT SELECT, INSERT, UPDATE ON area_grants TO wangge_app;
