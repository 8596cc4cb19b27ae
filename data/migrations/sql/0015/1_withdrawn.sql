-- A withdrawn edition stays with who published it and who took it back; it held at no moment, so
-- its validity is the empty range: every question about a moment passes it by.
ALTER TABLE editions DROP CONSTRAINT editions_status_check;
ALTER TABLE editions ADD CONSTRAINT editions_status_check
    CHECK (status IN ('draft', 'active', 'superseded', 'withdrawn'));
ALTER TABLE editions
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN withdrawn_by text,
    ADD COLUMN withdrawn_note text NOT NULL DEFAULT '',
    ADD CONSTRAINT editions_withdrawn_by_somebody CHECK (
        (status = 'withdrawn') = (withdrawn_at IS NOT NULL)
        AND (status = 'withdrawn') = (withdrawn_by IS NOT NULL)),
    ADD CONSTRAINT editions_withdrawn_held_never CHECK ((status = 'withdrawn') = (isempty(valid))
        OR valid IS NULL);
INSERT INTO column_classes (table_name, class, column_name)
SELECT 'editions', 'internal', unnest(ARRAY['withdrawn_at', 'withdrawn_by', 'withdrawn_note']);

-- As before, and two steps more, both about a moment that has not come: an edition is withdrawn,
-- and the one that it was to replace is open again.
CREATE OR REPLACE FUNCTION wangge_edition_history() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' THEN
            RAISE EXCEPTION 'edition % is %: it stays', OLD.id, OLD.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF (OLD.area_code, OLD.kind, OLD.author) IS DISTINCT FROM (NEW.area_code, NEW.kind, NEW.author)
       OR OLD.status <> 'draft' AND (
            (OLD.published_at, OLD.approver, OLD.rules)
                IS DISTINCT FROM (NEW.published_at, NEW.approver, NEW.rules)
            OR OLD.status = 'withdrawn' AND (OLD.withdrawn_at, OLD.withdrawn_by, OLD.withdrawn_note)
                IS DISTINCT FROM (NEW.withdrawn_at, NEW.withdrawn_by, NEW.withdrawn_note)
            OR NOT (
                OLD.status = 'active' AND NEW.status IN ('active', 'superseded')
                    AND lower(OLD.valid) IS NOT DISTINCT FROM lower(NEW.valid)
                OR OLD.status = NEW.status AND OLD.valid = NEW.valid
                OR OLD.status = 'active' AND NEW.status = 'withdrawn'
                    AND lower(OLD.valid) > clock_timestamp()
                OR OLD.status = 'superseded' AND NEW.status = 'active'
                    AND lower(OLD.valid) IS NOT DISTINCT FROM lower(NEW.valid)
                    AND upper(OLD.valid) > clock_timestamp()
            )
       )
    THEN
        RAISE EXCEPTION 'edition % is %: it can only be superseded', OLD.id, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
