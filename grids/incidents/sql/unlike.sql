-- The latest that was said of one incident and each of others (:one, :others), from either side.
SELECT DISTINCT ON (other) other, unlike, actor, at
FROM (
    SELECT o.other, v.data ? 'unlike' AS unlike, v.actor, v.at, v.id
    FROM incident_events AS v
    JOIN unnest(CAST(:others AS uuid[])) AS o (other)
        ON o.other::text IN (v.data ->> 'unlike', v.data ->> 'alike')
    WHERE v.incident_id = :one AND v.kind = 'note'
    UNION ALL
    SELECT v.incident_id, v.data ? 'unlike', v.actor, v.at, v.id
    FROM incident_events AS v
    WHERE v.incident_id = ANY(CAST(:others AS uuid[])) AND v.kind = 'note'
        AND CAST(:one AS text) IN (v.data ->> 'unlike', v.data ->> 'alike')
) AS said
ORDER BY other, id DESC;
