-- A plan that asks for no tolerance of its own judges each grid by the norm of its area type: a
-- village grid may be 25 % off, a herders' 20 %.

ALTER TABLE plans ALTER COLUMN tolerance DROP NOT NULL;
COMMENT ON COLUMN plans.tolerance IS
    'Largest deviation that passes, as a share; NULL: the norm of each grid''s area type';

UPDATE plans AS p SET tolerance = NULL
FROM editions AS e
WHERE e.id = p.edition_id AND e.rules ->> 'tolerance' IS NULL;

-- The norms are those of grids/redistricting/rules.py.
UPDATE plans AS p SET within_tolerance = (
    SELECT count(*)
    FROM grid_shapes AS g
    WHERE g.edition_id = p.edition_id
        AND abs(g.households::double precision / g.target - 1) <= CASE g.area_type
            WHEN 'rural' THEN 0.25 WHEN 'pastoral' THEN 0.20 ELSE 0.10 END + 1e-9
)
WHERE p.tolerance IS NULL;
