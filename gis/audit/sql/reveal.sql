-- One object revealed again and again by one account: one row for both.
SELECT actor, min(role) AS role, object_kind, object_id, max(near) AS entries,
       max(near) AS objects, min(at) AS first, max(at) AS last,
       min(id) AS first_id, max(id) AS last_id
FROM (
    SELECT *, count(*) OVER (
        PARTITION BY actor, object_kind, object_id ORDER BY at
        RANGE BETWEEN make_interval(days => :days) PRECEDING AND CURRENT ROW
    ) AS near
    FROM audit_log
    WHERE at >= :start AND at < :end AND substring(action FROM '[^.]*$') = 'reveal'
        AND object_id <> ''
) AS revealed
GROUP BY actor, object_kind, object_id
HAVING max(near) >= :times
ORDER BY first, actor, object_kind, object_id
