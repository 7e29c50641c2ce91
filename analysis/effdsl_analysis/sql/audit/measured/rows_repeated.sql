-- Which results of different tasks share what no two measurements share? Mean time, mean memory, energy and losses on held-out text
-- have many digits; two results that agree to 12 digits in two of them are one result under two names. A finding per pair.
WITH values_ AS (
  SELECT t.key, t.short_key, t.technique, t.seen[m.metric] AS c, m.metric, digits12(m.value) AS value
  FROM measurements m JOIN taken t USING (key)
  WHERE m.metric IN ('al_s_per_iter', 'amu_gb', 'energy_j', 'held_out_loss', 'new_domain_loss')
)
SELECT 'warning' AS severity, a.short_key AS "table", flatten(list([a.c, b.c] ORDER BY a.metric)) AS cells,
       format('{} ({}) and {} ({}) have the same {}.', any_value(a.technique), a.short_key,
              any_value(b.technique), b.short_key,
              string_agg(format('{} {:.6g}', a.metric, a.value), ', ' ORDER BY a.metric)) AS explanation
FROM values_ a JOIN values_ b ON b.metric = a.metric AND b.value = a.value AND a.key < b.key
GROUP BY a.key, a.short_key, b.key, b.short_key HAVING count(*) >= 2
ORDER BY a.key, b.key;
