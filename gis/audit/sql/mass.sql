-- Very many objects, or requests, of a kind within an hour: one row an account, kind and hour.
SELECT actor, role, object_kind, NULL AS object_id, count(*) AS entries,
       sum(coalesce(count, 1))::bigint AS objects, min(at) AS first, max(at) AS last,
       min(id) AS first_id, max(id) AS last_id
FROM audit_log
WHERE at >= :start AND at < :end AND substring(action FROM '[^.]*$') = ANY(:reading)
    AND (role IS NULL OR role <> ALL(:except_roles))
GROUP BY actor, role, object_kind, date_trunc('hour', at)
HAVING sum(coalesce(count, 1)) >= (CAST(:objects AS jsonb) ->> object_kind)::bigint
    OR count(*) >= (CAST(:entries AS jsonb) ->> object_kind)::bigint
ORDER BY first, actor, object_kind
