-- The people of a micro grid (微网格) help those of the base grid that it lies in: they are named after
-- them, and before whoever heads the village. No incident is given to them (wangge_given).
DROP FUNCTION wangge_answering(bigint, bigint, text, text, timestamptz);

-- Who answers for a place at a moment, in order: those of an exclusive grid, of the grid, of the
-- micro grid in it, the heads of its units, the leaders linked to them, the officers of the
-- departments that the matter belongs to; these first where the matter decides. The same rules stand in grids/people/roster.py, and a
-- test compares the two.
CREATE FUNCTION wangge_answering(
    exclusive bigint, grid bigint, micro bigint, unit text, matter text, moment timestamptz
)
RETURNS TABLE (
    place integer, assignment_id bigint, person_id uuid, name text, role text,
    is_primary boolean, reason text, grid_id bigint, unit_code text, department_id bigint
)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public
    AS $$
#variable_conflict use_column
DECLARE
    lo text := wangge_setting('lo');
    hi text := wangge_setting('hi');
    rights text := wangge_setting('rights');
BEGIN
    -- Whoever sees the unit is told who answers there, also those of the units above it.
    IF NOT COALESCE(
        wangge_may('grids.read')
        AND (unit >= lo AND unit < hi OR unit ^@ ANY (wangge_also())), false
    ) THEN
        RETURN;
    END IF;
    PERFORM set_config('wangge.lo', '0', true), set_config('wangge.hi', ':', true),
        set_config('wangge.rights', '*', true);
    RETURN QUERY
    WITH concerned AS (
        SELECT d.id, m.is_lead, length(d.area_code) AS depth, c.routed_by = 'matter' AS is_first
        FROM department_matters AS m
        JOIN departments AS d ON d.id = m.department_id
        JOIN incident_categories AS c ON c.code = m.category
        WHERE m.category = matter AND starts_with(unit, d.area_code) AND d.valid @> moment
    ),
    duty AS (
        SELECT a.*, l.id AS leave_id, l.deputy_id,
            CASE
                WHEN a.grid_id = exclusive THEN ARRAY[1, 0, 0]
                WHEN a.grid_id = grid THEN ARRAY[2, 0, 0]
                WHEN a.grid_id IS NOT NULL THEN ARRAY[2, 1, 0]
                WHEN a.role = 'unit_head' THEN ARRAY[3, -length(a.unit_code), 0]
                WHEN a.role = 'leader' THEN ARRAY[4, -a.link_level, -length(a.unit_code)]
                ELSE (
                    SELECT ARRAY[CASE WHEN d.is_first THEN 0 ELSE 5 END,
                                 CASE WHEN d.is_lead THEN 0 ELSE 1 END, -d.depth]
                    FROM concerned AS d WHERE d.id = a.department_id
                )
            END AS standing
        FROM (
            -- Each by its own index: with OR between them every assignment would be read.
            SELECT g.* FROM assignments AS g WHERE g.grid_id IN (exclusive, grid, micro)
            UNION ALL
            SELECT u.* FROM assignments AS u
            WHERE u.unit_code IN (unit, left(unit, 9), left(unit, 6))
            UNION ALL
            SELECT o.* FROM assignments AS o
            WHERE o.department_id IN (SELECT d.id FROM concerned AS d)
        ) AS a
        LEFT JOIN leaves AS l ON l.person_id = a.person_id AND l.during @> moment
        WHERE a.valid @> moment
            AND a.mode IN ('any', CASE
                WHEN wangge_is_emergency(unit, moment) THEN 'emergency' ELSE 'normal' END)
    ),
    answering AS (
        SELECT d.id, d.person_id, d.role, d.is_primary, d.grid_id, d.unit_code, d.department_id,
            d.standing,
            CASE
                WHEN d.standing[1] = 2 AND d.standing[2] = 1 THEN 'micro_grid'
                WHEN d.is_primary THEN 'primary_worker'
                WHEN d.role = 'grid_worker' THEN 'team_worker'
                WHEN d.role = 'officer' AND d.standing[2] = 1 THEN 'joint_officer'
                ELSE d.role
            END AS reason,
            CASE
                WHEN d.is_primary THEN 1
                WHEN d.role = 'grid_worker' THEN 3
                WHEN d.role = 'grid_head' THEN 5
                ELSE 4
            END AS rank
        FROM duty AS d
        WHERE d.leave_id IS NULL
        UNION ALL
        SELECT d.id, d.deputy_id, d.role, d.is_primary, d.grid_id, d.unit_code, d.department_id,
            d.standing, 'deputy_during_leave', CASE WHEN d.is_primary THEN 2 ELSE 4 END
        FROM duty AS d
        WHERE d.deputy_id IS NOT NULL
            AND NOT EXISTS (
                SELECT FROM leaves AS own
                WHERE own.person_id = d.deputy_id AND own.during @> moment
            )
    ),
    first_reason AS (
        SELECT DISTINCT ON (a.person_id) a.* FROM answering AS a
        ORDER BY a.person_id, a.standing, a.rank, a.id
    )
    SELECT
        row_number() OVER (ORDER BY f.standing, f.rank, p.name COLLATE "C", f.id)::integer,
        f.id, f.person_id, p.name, f.role, f.is_primary, f.reason, f.grid_id, f.unit_code,
        f.department_id
    FROM first_reason AS f
    JOIN persons AS p ON p.id = f.person_id
    ORDER BY 1;
    PERFORM set_config('wangge.lo', lo, true), set_config('wangge.hi', hi, true),
        set_config('wangge.rights', rights, true);
END
$$;
REVOKE ALL ON FUNCTION wangge_answering(bigint, bigint, bigint, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wangge_answering(bigint, bigint, bigint, text, text, timestamptz) TO wangge_app;
