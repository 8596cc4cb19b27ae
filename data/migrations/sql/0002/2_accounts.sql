-- Accounts, how they sign in, and what they may see beyond their own area for a time.

CREATE TABLE accounts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    login text COLLATE "C" NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._@-]{1,63}$'),
    name text NOT NULL CHECK (btrim(name) <> ''),
    -- Default deny: an account without a role may do nothing.
    role text REFERENCES roles,
    -- The unit whose subtree it sees; '' is the whole installation.
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})?$'),
    person_id uuid UNIQUE REFERENCES persons,
    -- In service; outside it nothing is let in.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CHECK (NOT isempty(valid)),
    disabled_at timestamptz,
    password_hash text,
    password_set_at timestamptz,
    must_change_password boolean NOT NULL DEFAULT true,
    totp_secret bytea,
    totp_confirmed_at timestamptz,
    totp_last_step bigint NOT NULL DEFAULT 0,
    recovery_hashes bytea[] NOT NULL DEFAULT '{}',
    external_subject text UNIQUE,
    last_signed_in_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    CONSTRAINT accounts_worker_is_a_person CHECK (role <> 'grid_worker' OR person_id IS NOT NULL)
);
COMMENT ON COLUMN accounts.totp_secret IS 'Encrypted by the application';

CREATE TABLE sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    idle_s integer NOT NULL CHECK (idle_s > 0),
    second_factor boolean NOT NULL,
    address text NOT NULL DEFAULT '',
    agent text NOT NULL DEFAULT '',
    ended_at timestamptz,
    ended_by text
);
CREATE INDEX sessions_account ON sessions (account_id) WHERE ended_at IS NULL;

CREATE TABLE api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    name text NOT NULL CHECK (btrim(name) <> ''),
    key_hash bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    -- Fewer rights, and a smaller area, than the account's; NULL: the account's.
    rights text[],
    area_code text COLLATE "C",
    per_minute integer NOT NULL CHECK (per_minute > 0),
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    ended_at timestamptz,
    ended_by text
);

CREATE TABLE area_grants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    area_code text COLLATE "C" NOT NULL
        CHECK (area_code ~ '^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    kind text NOT NULL CHECK (kind IN ('grant', 'break_glass')),
    reason text NOT NULL CHECK (length(btrim(reason)) >= 8),
    valid tstzrange NOT NULL
        CHECK (NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid)),
    given_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    ended_by text,
    seen_at timestamptz,
    seen_by text
);
CREATE INDEX area_grants_account ON area_grants (account_id) WHERE ended_at IS NULL;

-- Whether it lets anybody in: not disabled, and in its time of service.
CREATE FUNCTION wangge_is_open_account(a accounts, moment timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$ SELECT a.disabled_at IS NULL AND a.valid @> moment $$;
