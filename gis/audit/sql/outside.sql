-- What was seen or changed outside the account's own area, by what it was granted: one row an
-- account, kind and local day.
SELECT actor, role, object_kind, NULL AS object_id, count(*) AS entries,
       sum(outside)::bigint AS objects, min(at) AS first, max(at) AS last,
       min(id) AS first_id, max(id) AS last_id
FROM (
    SELECT *,
           CASE
               WHEN detail ? 'outside' THEN (detail ->> 'outside')::bigint
               -- A change says its county only; within one's own county nothing is known.
               WHEN substring(action FROM '[^.]*$') <> ALL(:reading) AND county_code IS NOT NULL
                   AND NOT starts_with(county_code, split_part(scope, ',', 1))
                   AND NOT starts_with(split_part(scope, ',', 1), county_code)
                   THEN coalesce(count, 1)
               ELSE 0
           END AS outside
    FROM audit_log
    WHERE at >= :start AND at < :end AND account_id IS NOT NULL
) AS seen
WHERE outside > 0
GROUP BY actor, role, object_kind, (at AT TIME ZONE :zone)::date
HAVING sum(outside) >= :objects
ORDER BY first, actor, object_kind
