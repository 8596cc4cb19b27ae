-- Incidents

CREATE TABLE incident_categories (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]*$'),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('dispute', 'hazard', 'service', 'other')),
    national_code text,
    local_code text
);

CREATE TABLE incident_transitions (
    from_state text NOT NULL,
    to_state text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
COMMENT ON TABLE incident_transitions IS
    'The one state machine; procedures select steps of it';
INSERT INTO incident_transitions (from_state, to_state) VALUES
    ('reported', 'dispatched'), ('reported', 'accepted'), ('reported', 'handling'),
    ('reported', 'closed'), ('reported', 'merged'), ('reported', 'rejected'),
    ('dispatched', 'accepted'), ('dispatched', 'returned'), ('dispatched', 'transferred'),
    ('dispatched', 'escalated'), ('dispatched', 'merged'), ('dispatched', 'rejected'),
    ('accepted', 'consulting'), ('accepted', 'handling'), ('accepted', 'transferred'),
    ('accepted', 'escalated'), ('accepted', 'returned'), ('accepted', 'merged'),
    ('consulting', 'handling'), ('consulting', 'escalated'), ('consulting', 'transferred'),
    ('handling', 'resolved'), ('handling', 'extended'), ('handling', 'transferred'),
    ('handling', 'escalated'), ('handling', 'returned'),
    ('extended', 'handling'), ('extended', 'resolved'), ('extended', 'escalated'),
    ('returned', 'dispatched'), ('returned', 'rejected'), ('returned', 'merged'),
    ('transferred', 'dispatched'), ('transferred', 'accepted'),
    ('escalated', 'dispatched'), ('escalated', 'accepted'), ('escalated', 'handling'),
    ('resolved', 'evaluated'), ('resolved', 'closed'), ('resolved', 'reopened'),
    ('evaluated', 'closed'), ('evaluated', 'reopened'),
    ('closed', 'reopened'), ('rejected', 'reopened'), ('merged', 'reopened'),
    ('reopened', 'dispatched'), ('reopened', 'accepted'), ('reopened', 'handling');

CREATE TABLE incidents (
    id uuid PRIMARY KEY,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    source text NOT NULL CHECK (btrim(source) <> ''),
    external_id text,
    category text NOT NULL REFERENCES incident_categories,
    severity text NOT NULL DEFAULT 'simple'
        CHECK (severity IN ('simple', 'general', 'difficult', 'major')),
    text text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    occurred_at timestamptz,
    reported_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    geom geometry(Point, 4326) CHECK (NOT ST_IsEmpty(geom)),
    source_crs text,
    source_x double precision,
    source_y double precision,
    accuracy_m real CHECK (accuracy_m >= 0),
    method text CHECK (method IN ('gps', 'map', 'address', 'import', 'operator')),
    edition_id bigint REFERENCES editions,
    grid_id bigint REFERENCES grids,
    assignment_id bigint REFERENCES assignments,
    person_id uuid REFERENCES persons,
    reason text NOT NULL,
    review text CHECK (review IN ('no_place', 'outside', 'no_edition', 'nobody')),
    state text NOT NULL DEFAULT 'reported',
    request_sha256 text NOT NULL CHECK (request_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT incidents_once_a_source UNIQUE (county_code, source, external_id),
    CONSTRAINT incidents_place_has_source
        CHECK ((geom IS NULL) = (source_crs IS NULL) AND (geom IS NULL) = (method IS NULL)),
    CONSTRAINT incidents_no_place_is_reviewed 
        CHECK ((geom IS NULL) = COALESCE(review = 'no_place', false)),
    CONSTRAINT incidents_grid_is_of_edition FOREIGN KEY (edition_id, grid_id)
        REFERENCES grid_shapes (edition_id, grid_id)
);
CREATE INDEX incidents_geom ON incidents USING gist (geom);
CREATE INDEX incidents_time ON incidents (county_code, reported_at);
CREATE INDEX incidents_grid ON incidents (grid_id, reported_at);
CREATE INDEX incidents_review ON incidents (county_code, review) WHERE review IS NOT NULL;

CREATE TABLE incident_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Readers of the stream stay below pg_snapshot_xmin: a sequence alone would skip late commits.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    incident_id uuid NOT NULL REFERENCES incidents,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL CHECK (btrim(actor) <> ''),
    kind text NOT NULL CHECK (kind IN ('reported', 'state', 'note', 'relocated', 'reassigned')),
    from_state text,
    to_state text,
    note text NOT NULL DEFAULT '',
    data jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT incident_events_state_moves CHECK (
        CASE kind
            WHEN 'reported' THEN from_state IS NULL AND to_state = 'reported'
            WHEN 'state' THEN from_state IS NOT NULL AND to_state IS NOT NULL
            ELSE from_state IS NULL AND to_state IS NULL
        END
    ),
    CONSTRAINT incident_events_allowed
        FOREIGN KEY (from_state, to_state) REFERENCES incident_transitions
);
CREATE INDEX incident_events_incident ON incident_events (incident_id, id);
CREATE INDEX incident_events_stream ON incident_events (xid, id);
CREATE TRIGGER incident_events_append_only BEFORE UPDATE OR DELETE ON incident_events
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();
CREATE TRIGGER incident_events_no_truncate BEFORE TRUNCATE ON incident_events
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();

-- The state of an incident is what its events say, and nothing else writes it.
CREATE FUNCTION wangge_apply_event() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.kind = 'state' THEN
        UPDATE incidents SET state = NEW.to_state
            WHERE id = NEW.incident_id AND state = NEW.from_state;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'incident % is no longer %', NEW.incident_id, NEW.from_state
                USING ERRCODE = 'serialization_failure',
                      HINT = 'Read the incident again and repeat the step if it still applies.';
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_events_apply AFTER INSERT ON incident_events
    FOR EACH ROW EXECUTE FUNCTION wangge_apply_event();

-- What an incident was given at its report time stays; only an open question may be answered.
CREATE FUNCTION wangge_incident_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'incident %: incidents are never deleted', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.id, OLD.county_code, OLD.source, OLD.external_id, OLD.reported_at, OLD.received_at,
        OLD.text, OLD.request_sha256)
       IS DISTINCT FROM
       (NEW.id, NEW.county_code, NEW.source, NEW.external_id, NEW.reported_at, NEW.received_at,
        NEW.text, NEW.request_sha256)
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
CREATE TRIGGER incidents_history BEFORE UPDATE OR DELETE ON incidents
    FOR EACH ROW EXECUTE FUNCTION wangge_incident_history();
CREATE TRIGGER incidents_no_truncate BEFORE TRUNCATE ON incidents
    FOR EACH STATEMENT EXECUTE FUNCTION wangge_refuse_change();
