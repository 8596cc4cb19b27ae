-- What the service needs of accounts and secrets, each in a function of the owner's for one thing.
-- What they ask has to be TRUE: a comparison with NULL is no leave.

-- Failed attempts: they slow further ones down, by login and by address, whether or not there is
-- such an account. Logins are kept as hashes, since people type passwords where logins belong.

CREATE TABLE sign_in_failures (
    subject bytea PRIMARY KEY CHECK (length(subject) = 32),
    failures integer NOT NULL CHECK (failures >= 0),
    last_at timestamptz NOT NULL,
    locked_until timestamptz
);
CREATE INDEX sign_in_failures_last ON sign_in_failures (last_at);
ALTER TABLE sign_in_failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_failures FORCE ROW LEVEL SECURITY;
-- Granted to nobody: only the functions below come here.
CREATE POLICY functions_only ON sign_in_failures USING (true);

CREATE FUNCTION wangge_login_subject(login text) RETURNS bytea
    LANGUAGE sql IMMUTABLE AS $$ SELECT sha256(convert_to('login:' || login, 'UTF8')) $$;

-- Count an attempt before it is made, so that many at once are counted too; what succeeds is taken
-- back. Answers the seconds to wait, 0 when the attempt may go on. After `free` failures within
-- `remembered`, each one locks twice as long as the one before, from `first_s` to `longest_s`.
CREATE FUNCTION wangge_count_attempt(
    who bytea, free integer, first_s integer, longest_s integer, remembered interval
) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    known sign_in_failures%ROWTYPE;
BEGIN
    INSERT INTO sign_in_failures VALUES (who, 0, moment, NULL) ON CONFLICT DO NOTHING;
    SELECT * INTO known FROM sign_in_failures WHERE subject = who FOR UPDATE;
    IF known.locked_until > moment THEN
        RETURN ceil(extract(epoch FROM known.locked_until - moment));
    END IF;
    IF known.last_at < moment - remembered THEN
        known.failures := 0;
    END IF;
    known.failures := known.failures + 1;
    UPDATE sign_in_failures
    SET failures = known.failures, last_at = moment,
        locked_until = CASE WHEN known.failures >= free THEN moment + make_interval(
            secs => least(longest_s, first_s * 2.0 ^ least(known.failures - free, 20))) END
    WHERE subject = who;
    DELETE FROM sign_in_failures WHERE subject IN (
        SELECT subject FROM sign_in_failures WHERE last_at < moment - interval '2 days'
        LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    RETURN 0;
END
$$;

-- Take an attempt back: `wholly` forgets the failures before it as well.
CREATE FUNCTION wangge_forgive_attempt(who bytea, wholly boolean) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    UPDATE sign_in_failures
    SET failures = CASE WHEN wholly THEN 0 ELSE greatest(failures - 1, 0) END, locked_until = NULL
    WHERE subject = who
$$;

-- Until when sign-ins of an account are refused; for whoever may see the account.
CREATE FUNCTION wangge_locked_until(account uuid) RETURNS timestamptz
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    SELECT f.locked_until
    FROM accounts AS a JOIN sign_in_failures AS f ON f.subject = wangge_login_subject(a.login)
    WHERE a.id = account AND f.locked_until > clock_timestamp()
        AND (a.id = wangge_account() OR wangge_administers(a.area_code))
$$;

-- What the service needs to know to let somebody sign in. One row, or none.
CREATE FUNCTION wangge_sign_in_account(login_given text, subject_given text)
    RETURNS TABLE (
        id uuid, login text, name text, is_open boolean, password_hash text,
        totp_secret bytea, is_totp_confirmed boolean, is_external boolean
    )
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    SELECT a.id, a.login, a.name, wangge_is_open_account(a, clock_timestamp()), a.password_hash,
        a.totp_secret, a.totp_confirmed_at IS NOT NULL, a.external_subject IS NOT NULL
    FROM accounts AS a
    WHERE a.login = login_given OR a.external_subject = subject_given
$$;

-- Use up a step of TOTP: false when this one or a later one was used before.
CREATE FUNCTION wangge_use_totp_step(account uuid, step bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    WITH used AS (
        UPDATE accounts SET totp_last_step = step
        WHERE id = account AND totp_last_step < step RETURNING 1
    )
    SELECT EXISTS (SELECT FROM used)
$$;

-- Use up a recovery code: false when there is none of this hash any more.
CREATE FUNCTION wangge_use_recovery_code(account uuid, hash bytea) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    WITH used AS (
        UPDATE accounts SET recovery_hashes = array_remove(recovery_hashes, hash)
        WHERE id = account AND hash = ANY(recovery_hashes) RETURNING 1
    )
    SELECT EXISTS (SELECT FROM used)
$$;

-- Open a session of an account that has shown who it is; NULL when the account is closed.
CREATE FUNCTION wangge_open_session(
    account uuid, hash bytea, lasts interval, idle interval, by_second_factor boolean,
    from_address text, by_agent text
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    opened uuid;
BEGIN
    UPDATE accounts AS a SET last_signed_in_at = moment
        WHERE a.id = account AND wangge_is_open_account(a, moment);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO sessions (
        account_id, token_hash, created_at, last_seen_at, expires_at, idle_s, second_factor,
        address, agent
    ) VALUES (
        account, hash, moment, moment, moment + lasts, extract(epoch FROM idle)::integer,
        by_second_factor, left(from_address, 100), left(by_agent, 300)
    ) RETURNING id INTO opened;
    RETURN opened;
END
$$;

-- End the session of a token, by whoever holds the token.
CREATE FUNCTION wangge_end_session(hash bytea) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    UPDATE sessions SET ended_at = clock_timestamp(), ended_by = 'token'
    WHERE token_hash = hash AND ended_at IS NULL RETURNING account_id
$$;

-- Whether the caller may change another account: within its area, not its own, and no
-- administrator's: those are changed on the command line, so that none of them rules the others.
CREATE FUNCTION wangge_may_change(account uuid, right_key text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    SELECT EXISTS (
        SELECT FROM accounts AS a LEFT JOIN roles AS r ON r.key = a.role
        WHERE a.id = account AND a.id IS DISTINCT FROM wangge_account()
            AND wangge_administers(a.area_code) AND wangge_may(right_key)
            AND (wangge_may('*') OR NOT COALESCE(r.is_administrator, false))
    )
$$;

-- Add an account without a role; who it is to be, the security administrator says.
CREATE FUNCTION wangge_add_account(
    login text, name text, area_code text, person uuid, hash text, subject text,
    valid tstzrange, author text
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    made uuid := gen_random_uuid();
BEGIN
    IF (wangge_may('accounts.manage') AND wangge_administers(area_code)) IS NOT TRUE THEN
        PERFORM wangge_refuse('the account lies outside what the caller administers');
    END IF;
    INSERT INTO accounts (
        id, login, name, area_code, person_id, password_hash, password_set_at, external_subject,
        valid, created_by
    ) VALUES (
        made, login, name, area_code, person, hash, CASE WHEN hash IS NOT NULL THEN now() END,
        subject, valid, author
    );
    RETURN made;
END
$$;

-- Store a password: the caller's own, or a one-time one for an account that it administers.
CREATE FUNCTION wangge_set_password(account uuid, hash text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
BEGIN
    IF (account = wangge_account() OR wangge_may_change(account, 'accounts.manage')) IS NOT TRUE
    THEN
        PERFORM wangge_refuse('the password of this account is not the caller''s to set');
    END IF;
    UPDATE accounts
    SET password_hash = hash, password_set_at = clock_timestamp(),
        must_change_password = (account IS DISTINCT FROM wangge_account())
    WHERE id = account;
END
$$;

-- Store the same password anew, hashed at a higher cost, while its owner signs in.
CREATE FUNCTION wangge_rehash_password(account uuid, before text, after text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$ UPDATE accounts SET password_hash = after WHERE id = account AND password_hash = before $$;

-- Shut an account out, or let it in again.
CREATE FUNCTION wangge_disable(account uuid, is_disabled boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
BEGIN
    IF wangge_may_change(account, 'accounts.manage') IS NOT TRUE THEN
        PERFORM wangge_refuse('this account is not the caller''s to change');
    END IF;
    UPDATE accounts
    SET disabled_at = CASE WHEN is_disabled THEN COALESCE(disabled_at, clock_timestamp()) END
    WHERE id = account;
END
$$;

-- Give an account its role and area. Nobody their own. The system administrator appoints the first
-- security and the first audit administrator, and nobody else.
CREATE FUNCTION wangge_assign_role(account uuid, new_role text, new_area text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    before accounts%ROWTYPE;
BEGIN
    SELECT * INTO before FROM accounts WHERE id = account FOR UPDATE;
    IF (
        account IS DISTINCT FROM wangge_account()
        AND wangge_administers(before.area_code) AND wangge_administers(new_area)
        AND (wangge_may('roles.assign')
             OR wangge_may('accounts.manage') AND before.role IS NULL
                AND new_role = ANY(wangge_first_appointments()))
    ) IS NOT TRUE THEN
        PERFORM wangge_refuse('this role or area is not the caller''s to give');
    END IF;
    UPDATE accounts SET role = new_role, area_code = new_area WHERE id = account;
END
$$;

-- Administrators that nobody is yet: the system administrator appoints these. Asked with the whole
-- in view, since the caller may see a part only.
CREATE FUNCTION wangge_first_appointments() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    SET wangge.lo = '0' SET wangge.hi = ':' SET wangge.rights = '*'
    AS $$
    SELECT COALESCE(array_agg(wanted), '{}')
    FROM unnest(ARRAY['security_admin', 'audit_admin']) AS wanted
    WHERE NOT EXISTS (
        SELECT FROM accounts AS a
        WHERE a.role = wanted AND wangge_is_open_account(a, clock_timestamp())
    )
$$;

-- The second factor of the caller's own account

CREATE FUNCTION wangge_own_secrets()
    RETURNS TABLE (
        login text, name text, password_hash text, totp_secret bytea, is_totp_confirmed boolean,
        recovery_codes integer
    )
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    SELECT a.login, a.name, a.password_hash, a.totp_secret, a.totp_confirmed_at IS NOT NULL,
        cardinality(a.recovery_hashes)
    FROM accounts AS a WHERE a.id = wangge_account()
$$;

CREATE FUNCTION wangge_begin_totp(secret bytea) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    WITH changed AS (
        UPDATE accounts SET totp_secret = secret, totp_last_step = 0
        WHERE id = wangge_account() AND totp_confirmed_at IS NULL RETURNING 1
    )
    SELECT EXISTS (SELECT FROM changed)
$$;

CREATE FUNCTION wangge_confirm_totp(step bigint, hashes bytea[]) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    WITH changed AS (
        UPDATE accounts
        SET totp_confirmed_at = clock_timestamp(), totp_last_step = step, recovery_hashes = hashes
        WHERE id = wangge_account() AND totp_secret IS NOT NULL AND totp_confirmed_at IS NULL
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM changed)
$$;

-- Remove it: from the caller's own account, or from one that it administers.
CREATE FUNCTION wangge_remove_totp(account uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
BEGIN
    IF (account = wangge_account() OR wangge_may_change(account, 'accounts.manage')) IS NOT TRUE
    THEN
        PERFORM wangge_refuse('the second factor of this account is not the caller''s to remove');
    END IF;
    UPDATE accounts
    SET totp_secret = NULL, totp_confirmed_at = NULL, recovery_hashes = '{}'
    WHERE id = account;
END
$$;

-- Issue a key. Programs have accounts of their own: a key of a person's account would let whoever
-- issues it read with that person's rights.
CREATE FUNCTION wangge_issue_key(
    account uuid, key_name text, hash bytea, only_rights text[], only_area text,
    each_minute integer, lasts interval, author text
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    owner accounts%ROWTYPE;
    made uuid;
BEGIN
    SELECT * INTO owner FROM accounts WHERE id = account;
    IF (
        account IS DISTINCT FROM wangge_account()
        AND wangge_may('keys.manage') AND wangge_administers(owner.area_code)
        AND owner.role = 'integrator' AND lasts <= interval '400 days'
        AND starts_with(COALESCE(only_area, owner.area_code), owner.area_code)
        AND NOT EXISTS (
            SELECT FROM unnest(only_rights) AS wanted
            WHERE NOT EXISTS (
                SELECT FROM role_rights WHERE role = owner.role AND right_key = wanted
            )
        )
    ) IS NOT TRUE THEN
        PERFORM wangge_refuse('this key is not the caller''s to issue');
    END IF;
    INSERT INTO api_keys (
        account_id, name, key_hash, rights, area_code, per_minute, expires_at, created_by
    ) VALUES (
        account, key_name, hash, only_rights, only_area, each_minute, clock_timestamp() + lasts,
        author
    ) RETURNING id INTO made;
    RETURN made;
END
$$;

-- Give an account access to another area for a time. Nobody themselves: that is break-glass.
CREATE FUNCTION wangge_give_grant(
    account uuid, area text, why text, since timestamptz, until timestamptz, author text
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    made uuid;
BEGIN
    IF (
        wangge_may('grants.give') AND account IS DISTINCT FROM wangge_account()
        AND wangge_administers(area) AND until - since <= interval '366 days'
        AND EXISTS (
            SELECT FROM accounts AS a WHERE a.id = account AND wangge_administers(a.area_code)
        )
    ) IS NOT TRUE THEN
        PERFORM wangge_refuse('this grant is not the caller''s to give');
    END IF;
    INSERT INTO area_grants (account_id, area_code, kind, reason, valid, given_by)
        VALUES (account, area, 'grant', why, tstzrange(since, until), author) RETURNING id INTO made;
    RETURN made;
END
$$;

-- Break the glass: access for oneself, now, for four hours at the most; shown to the security
-- administrator until it is marked as seen.
CREATE FUNCTION wangge_break_glass(area text, why text, lasts interval, author text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    made uuid;
BEGIN
    IF (
        wangge_account() IS NOT NULL AND wangge_may('incidents.read')
        AND lasts <= interval '4 hours'
    ) IS NOT TRUE THEN
        PERFORM wangge_refuse('break-glass access is not the caller''s to take');
    END IF;
    INSERT INTO area_grants (account_id, area_code, kind, reason, valid, given_by)
        VALUES (wangge_account(), area, 'break_glass', why, tstzrange(moment, moment + lasts), author)
        RETURNING id INTO made;
    RETURN made;
END
$$;

-- End a grant: one that the caller gives, or its own broken glass.
CREATE FUNCTION wangge_end_grant(grant_id uuid, author text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    WITH changed AS (
        UPDATE area_grants AS g SET ended_at = clock_timestamp(), ended_by = author
        FROM accounts AS a
        WHERE g.id = grant_id AND a.id = g.account_id AND g.ended_at IS NULL
            AND (g.kind = 'break_glass' AND g.account_id = wangge_account()
                 OR wangge_may('grants.give') AND wangge_administers(a.area_code))
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM changed)
$$;

-- Say that one has seen a grant that somebody else has taken.
CREATE FUNCTION wangge_see_grant(grant_id uuid, author text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
    WITH changed AS (
        UPDATE area_grants AS g SET seen_at = clock_timestamp(), seen_by = author
        FROM accounts AS a
        WHERE g.id = grant_id AND a.id = g.account_id AND g.seen_at IS NULL
            AND g.account_id IS DISTINCT FROM wangge_account()
            AND wangge_may('grants.give') AND wangge_administers(a.area_code)
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM changed)
$$;

DO $$
DECLARE
    each regprocedure;
BEGIN
    FOREACH each IN ARRAY ARRAY[
        'wangge_count_attempt(bytea, integer, integer, integer, interval)',
        'wangge_forgive_attempt(bytea, boolean)',
        'wangge_locked_until(uuid)',
        'wangge_sign_in_account(text, text)',
        'wangge_use_totp_step(uuid, bigint)',
        'wangge_use_recovery_code(uuid, bytea)',
        'wangge_open_session(uuid, bytea, interval, interval, boolean, text, text)',
        'wangge_end_session(bytea)',
        'wangge_may_change(uuid, text)',
        'wangge_add_account(text, text, text, uuid, text, text, tstzrange, text)',
        'wangge_set_password(uuid, text)',
        'wangge_rehash_password(uuid, text, text)',
        'wangge_disable(uuid, boolean)',
        'wangge_assign_role(uuid, text, text)',
        'wangge_first_appointments()',
        'wangge_own_secrets()',
        'wangge_begin_totp(bytea)',
        'wangge_confirm_totp(bigint, bytea[])',
        'wangge_remove_totp(uuid)',
        'wangge_issue_key(uuid, text, bytea, text[], text, integer, interval, text)',
        'wangge_give_grant(uuid, text, text, timestamptz, timestamptz, text)',
        'wangge_break_glass(text, text, interval, text)',
        'wangge_end_grant(uuid, text)',
        'wangge_see_grant(uuid, text)'
    ]::regprocedure[]
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO wangge_app', each);
    END LOOP;
END
$$;
