-- Staged incidents that have a closing time and were never closed, new or stored before, and
-- whether their steps lead there. One stored with other content is another report: it is let be.
WITH known AS (
    -- Two joins: one by "or" would compare every row with every incident.
    SELECT s.id, i.closed_at
    FROM incoming_incidents AS i
    JOIN incidents AS s ON s.id = i.id
    WHERE i.closed_at IS NOT NULL AND s.request_sha256 = i.request_sha256
    UNION
    SELECT s.id, i.closed_at
    FROM incoming_incidents AS i
    JOIN incidents AS s
        ON (s.county_code, s.source, s.external_id) = (i.county_code, i.source, i.external_id)
    WHERE i.closed_at IS NOT NULL AND s.request_sha256 = i.request_sha256
)
SELECT
    s.id, s.county_code, s.state, coalesce(s.external_id, s.id::text) AS name, k.closed_at,
    (s.state, 'closed') IN (SELECT from_state, to_state FROM incident_transitions)
    -- What was done here after that moment would stand before it in the incident's history.
    AND NOT EXISTS (
        SELECT FROM incident_events AS e
        WHERE e.incident_id = s.id AND e.kind = 'state' AND e.at > k.closed_at
    ) AS leads_there
-- A row may be there twice; it is closed once.
FROM (SELECT id, min(closed_at) AS closed_at FROM known GROUP BY id) AS k
JOIN incidents AS s ON s.id = k.id
WHERE NOT EXISTS (
    SELECT FROM incident_events AS e WHERE e.incident_id = s.id AND e.to_state = 'closed'
)
ORDER BY k.closed_at, s.id
