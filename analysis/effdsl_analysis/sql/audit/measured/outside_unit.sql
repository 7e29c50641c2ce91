-- Which fractions are not between 0 and 1, and which amounts are negative? Sampling may take PCU 2% above 1; MFU is left to
-- rate_above_peak. A time, a memory or a perplexity of 0 is none either. A finding per value.
SELECT 'error' AS severity, t.short_key AS "table", [t.seen[m.metric]] AS cells,
       format('{} is {:.6g}; {}.', m.metric, m.value,
              CASE WHEN n.unit = 'fraction' THEN 'a fraction lies between 0 and 1'
                   WHEN m.value < 0 THEN 'it cannot be negative' ELSE 'it has to be above 0' END) AS explanation
FROM measurements m JOIN taken t USING (key) JOIN metrics n ON n.name = m.metric
WHERE m.value < 0
   OR (n.unit = 'fraction' AND m.metric <> 'mfu' AND m.value > 1.02)
   OR (m.value = 0 AND m.metric IN ('ppl', 'al_s_per_iter', 'p50_s_per_iter', 'tokens_per_s', 'amu_gb', 'peak_memory_gb'))
ORDER BY t.key, m.metric;
