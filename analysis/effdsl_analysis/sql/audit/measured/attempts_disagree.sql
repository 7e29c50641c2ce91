-- Which tasks gave two different answers? Attempts at one task share everything in its key, the seed too, so their held-out
-- losses differ by the order of additions only: more than 2% is a warning. A finding per task.
WITH ended AS (
  SELECT key, held_out_loss FROM attempts WHERE outcome = 'ok' AND held_out_loss IS NOT NULL
)
SELECT 'warning' AS severity, t.short_key AS "table", cells_of(any_value(t.seen), ['held_out_loss']) AS cells,
       format('{} attempts at this task ended with held-out losses from {:.5g} to {:.5g}.', count(*), min(e.held_out_loss),
              max(e.held_out_loss)) AS explanation
FROM ended e JOIN taken t USING (key)
GROUP BY t.key, t.short_key HAVING max(e.held_out_loss) > min(e.held_out_loss) * 1.02
ORDER BY t.key;
