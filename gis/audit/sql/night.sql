-- Personal data read at night: one row an account and night.
SELECT actor, role, NULL AS object_kind, NULL AS object_id, count(*) AS entries,
       sum(coalesce(count, 1))::bigint AS objects, min(at) AS first, max(at) AS last,
       min(id) AS first_id, max(id) AS last_id
FROM (
    SELECT *, at AT TIME ZONE :zone AS wall FROM audit_log
    WHERE at >= :start AND at < :end AND substring(action FROM '[^.]*$') = ANY(:reading)
        AND object_kind <> 'audit'
) AS local
WHERE (extract(hour FROM wall) >= :from_hour OR extract(hour FROM wall) < :to_hour)
    AND (role IS NULL OR role <> ALL(:except_roles))
GROUP BY actor, role, (wall - make_interval(hours => :to_hour))::date
HAVING count(*) >= :entries
ORDER BY first, actor
