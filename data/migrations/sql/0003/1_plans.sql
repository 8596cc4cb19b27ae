-- A plan is a draft edition under work: every move is kept with what it changed, both ways.

-- Cells know their neighbours, so that a move is checked without looking at the whole plan.
-- `neighbours` share a line with the cell; `doors` are those of them that one can walk to.
-- NULL in a draft that was drawn before plans were; worked out when a plan is made of it.
ALTER TABLE cells
    ALTER COLUMN grid_id DROP NOT NULL,
    ADD COLUMN neighbours integer[],
    ADD COLUMN doors integer[],
    ADD CONSTRAINT cells_doors CHECK (doors <@ neighbours);
COMMENT ON COLUMN cells.grid_id IS 'NULL in a draft: ground that no grid has yet';

CREATE TABLE plans (
    edition_id bigint PRIMARY KEY REFERENCES editions ON DELETE CASCADE,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL CHECK (area_code ~ '^([0-9]{6}|[0-9]{9}|[0-9]{12})$'),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'submitted', 'approved')),
    -- Grows with every step, undo and redo too; who works on an older one is told.
    version integer NOT NULL DEFAULT 0 CHECK (version >= 0),
    -- The move that was made last and not taken back; 0: none.
    head integer NOT NULL DEFAULT 0 CHECK (head >= 0),
    moves integer NOT NULL DEFAULT 0 CHECK (moves >= 0),
    tolerance double precision NOT NULL CHECK (tolerance > 0 AND tolerance < 1),
    -- Figures of the whole plan, kept move by move in whole numbers, so that undoing gives them back
    -- exactly: deviations in thousand-millionths of the target, compactness in millionths.
    grids integer NOT NULL CHECK (grids >= 0),
    households bigint NOT NULL CHECK (households >= 0),
    unassigned integer NOT NULL CHECK (unassigned >= 0),
    within_tolerance integer NOT NULL CHECK (within_tolerance BETWEEN 0 AND grids),
    deviation_sum bigint NOT NULL CHECK (deviation_sum >= 0),
    compactness_sum bigint NOT NULL CHECK (compactness_sum >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL
);
COMMENT ON COLUMN plans.unassigned IS 'Cells that no grid has';

CREATE TABLE plan_moves (
    edition_id bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
    seq integer NOT NULL CHECK (seq > 0),
    -- The move before it, that is the head when it was made; 0: the plan as it began.
    parent integer NOT NULL CHECK (parent >= 0 AND parent < seq),
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'move', 'split', 'merge', 'border', 'rebalance', 'repair', 'release'
    )),
    detail jsonb NOT NULL,
    cells integer[] NOT NULL,
    -- Of each of those cells; 0: none.
    grids_before bigint[] NOT NULL,
    grids_after bigint[] NOT NULL,
    -- Rows of the grids that it touched, as they were and as they are; NULL where there was none.
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    PRIMARY KEY (edition_id, seq),
    CONSTRAINT plan_moves_same_length CHECK (
        cardinality(cells) = cardinality(grids_before)
        AND cardinality(cells) = cardinality(grids_after)
    )
);
CREATE INDEX plan_moves_children ON plan_moves (edition_id, parent);

-- Every step in its order: moves made, taken back and made again, locks, states.
CREATE TABLE plan_steps (
    edition_id bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
    version integer NOT NULL CHECK (version > 0),
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'do', 'undo', 'redo', 'lock', 'unlock', 'submit', 'approve', 'return'
    )),
    -- The move, for do, undo and redo.
    seq integer,
    -- Grids it touched: whoever works on an older version is in conflict over these.
    grids bigint[] NOT NULL,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (edition_id, version)
);

CREATE TABLE plan_locks (
    edition_id bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
    grid_id bigint NOT NULL REFERENCES grids,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    PRIMARY KEY (edition_id, grid_id)
);

CREATE TABLE plan_comments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edition_id bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    words text NOT NULL CHECK (length(btrim(words)) BETWEEN 1 AND 2000),
    geom geometry(Point, 4326),
    closed_at timestamptz,
    closed_by text,
    CONSTRAINT plan_comments_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
CREATE INDEX plan_comments_plan ON plan_comments (edition_id, at);

CREATE TABLE plan_save_points (
    edition_id bigint NOT NULL REFERENCES plans ON DELETE CASCADE,
    name text NOT NULL CHECK (length(btrim(name)) BETWEEN 1 AND 100),
    county_code text COLLATE "C" NOT NULL CHECK (county_code ~ '^[0-9]{6}$'),
    area_code text COLLATE "C" NOT NULL,
    seq integer NOT NULL CHECK (seq >= 0),
    at timestamptz NOT NULL DEFAULT now(),
    author text NOT NULL,
    PRIMARY KEY (edition_id, name)
);

CREATE TRIGGER plan_moves_append_only BEFORE UPDATE ON plan_moves
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();
CREATE TRIGGER plan_steps_append_only BEFORE UPDATE ON plan_steps
    FOR EACH ROW EXECUTE FUNCTION wangge_refuse_change();

-- Who sees drafts sees plans; who changes drafts changes them.
DO $$
DECLARE
    tbl text;
BEGIN
    FOREACH tbl IN ARRAY ARRAY['plans', 'plan_moves', 'plan_steps', 'plan_locks', 'plan_comments',
                               'plan_save_points'] LOOP
        PERFORM wangge_protect(tbl::regclass, 'around', 'area_code', 'drafts.read', 'drafts.write');
    END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON plans, plan_comments TO wangge_app;
GRANT SELECT, INSERT ON plan_moves, plan_steps TO wangge_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON plan_locks, plan_save_points TO wangge_app;

INSERT INTO column_classes (table_name, class, column_name)
SELECT c.table_name, c.class, unnest(string_to_array(c.columns, ' '))
FROM (VALUES
    ('cells', 'internal', 'neighbours doors'),
    ('editions', 'internal', 'changed_over_at'),
    ('plans', 'internal',
     'edition_id county_code area_code state version head moves tolerance grids households '
     'unassigned within_tolerance deviation_sum compactness_sum created_at created_by'),
    ('plan_moves', 'internal',
     'edition_id seq parent county_code area_code at author kind detail cells grids_before '
     'grids_after before after'),
    ('plan_steps', 'internal',
     'edition_id version county_code area_code at author kind seq grids note'),
    ('plan_locks', 'internal', 'edition_id grid_id county_code area_code at author'),
    ('plan_comments', 'internal',
     'id edition_id county_code area_code at author words geom closed_at closed_by'),
    ('plan_save_points', 'internal', 'edition_id name county_code area_code seq at author')
) AS c (table_name, class, columns);
