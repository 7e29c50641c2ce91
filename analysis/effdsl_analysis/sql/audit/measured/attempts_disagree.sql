-- Which tasks gave two different answers? Attempts at one task share everything in its key, the seed too, so their held-out
-- losses (of a fine-tuning, on the new domain) differ by the order of additions only: more than 2% is a warning. A finding
-- per task.
WITH ended AS (
  SELECT key, coalesce(held_out_loss, new_domain_loss) AS ended_with,
         CASE WHEN held_out_loss IS NULL THEN 'new_domain_loss' ELSE 'held_out_loss' END AS metric
  FROM attempts WHERE outcome = 'ok' AND ended_with IS NOT NULL
)
SELECT 'warning' AS severity, t.short_key AS "table", cells_of(any_value(t.seen), [any_value(metric)]) AS cells,
       format('{} attempts at this task ended with held-out losses from {:.5g} to {:.5g}.', count(*), min(e.ended_with),
              max(e.ended_with)) AS explanation
FROM ended e JOIN taken t USING (key)
GROUP BY t.key, t.short_key HAVING max(e.ended_with) > min(e.ended_with) * 1.02
ORDER BY t.key;
