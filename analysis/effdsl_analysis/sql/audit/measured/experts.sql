-- Do the numbers about experts fit together? A layer's shares sum to 1, the busiest expert has at least the mean load, at
-- most all of it, and the entropy of a choice among E experts is at most ln(E). A finding per result and bound.
WITH layers AS (
  SELECT key, layer, count(*) AS experts, sum(share) AS total, min(share) AS least FROM expert_shares GROUP BY key, layer
),
models AS (
  SELECT key, max(experts) AS experts, max(abs(total - 1)) AS off, min(least) AS least FROM layers GROUP BY key
),
judged AS (
  SELECT t.* EXCLUDE (experts), m.experts, m.off, m.least FROM taken t LEFT JOIN models m USING (key)
)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, ['expert_load_max_over_mean']) AS cells,
       format('The busiest expert has {:.5g} times the mean load; it lies between 1 and the number of experts.',
              expert_load_max_over_mean) AS explanation, key
FROM judged
WHERE expert_load_max_over_mean < 1 - 1e-6 OR expert_load_max_over_mean > experts * (1 + 1e-6)
UNION ALL
SELECT 'error', short_key, cells_of(seen, ['router_entropy']),
       format('The entropy of the router is {:.5g} nats, above ln({}) = {:.5g}.', router_entropy, experts, ln(experts)), key
FROM judged WHERE router_entropy > ln(experts) * (1 + 1e-6)
UNION ALL
SELECT 'error', short_key, cells_of(seen, ['expert_load_max_over_mean']),
       format('The shares of a layer''s experts sum to 1 except for {:.3g}; the least is {:.3g}.', off, least), key
FROM judged WHERE off > 1e-4 OR least < 0
ORDER BY key, explanation;
