-- Incidents that come with an address and no point: the unit that the text names is the area of one
-- that is not placed, so that the people there decide it.

CREATE OR REPLACE FUNCTION wangge_area_of_incident() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.area_code := COALESCE(
        (SELECT s.unit_code FROM grid_shapes AS s
         WHERE s.edition_id = NEW.edition_id AND s.grid_id = NEW.grid_id),
        CASE
            WHEN NEW.geom IS NOT NULL THEN wangge_unit_of(NEW.geom, NEW.county_code)
            -- What was read off the text, where the caller sees it.
            WHEN starts_with(NEW.area_code, NEW.county_code)
                AND NEW.area_code >= wangge_lo() AND NEW.area_code < wangge_hi()
            THEN NEW.area_code
            WHEN starts_with(wangge_lo(), NEW.county_code) THEN wangge_lo()
        END,
        NEW.county_code
    );
    RETURN NEW;
END
$$;

-- The queue of an area, page by page.
DROP INDEX address_reviews_open;
CREATE INDEX address_reviews_open ON address_reviews (area_code, id) WHERE outcome IS NULL;

-- The address of an incident is part of what was said of it: who does not see the incident is not
-- shown what was asked of it.
DROP POLICY reading ON address_reviews;
DROP POLICY adding ON address_reviews;
DROP POLICY changing ON address_reviews;
DROP POLICY removing ON address_reviews;
SELECT wangge_protect('address_reviews', 'in', 'area_code',
    $$(SELECT wangge_may('incidents.step')) AND (incident_id IS NULL
      OR EXISTS (SELECT FROM incidents AS i WHERE i.id = incident_id))$$,
    $$(SELECT wangge_may('incidents.report'))$$,
    $$(SELECT wangge_may('incidents.step')) AND (incident_id IS NULL
      OR EXISTS (SELECT FROM incidents AS i WHERE i.id = incident_id))$$);
