-- MATH is the benchmark most sensitive to int4 (Table 16).
-- Sensitive: the share of the bfloat16 score that int4 loses. A case per model: no other benchmark loses more. With
-- repeats, the intervals must not overlap.
WITH kept AS (
  SELECT setting, source, size, label, metric, ratio, ratio_low, ratio_high
  FROM contrasted('precision', 'text') JOIN benchmarks() USING (metric)
  WHERE same_size AND method_a = 'bfloat16' AND method_b = 'int4'
)
SELECT size AS "case",
       CASE WHEN bool_or(o.ratio_high < m.ratio_low) THEN false
            WHEN every(o.ratio_low >= m.ratio_high) AND count(*) = 5 THEN true END AS supports,
       format('MATH {:.3g}%; {}', 100 * (any_value(m.ratio) - 1),
              string_agg(format('{} {:.3g}%', o.label, 100 * (o.ratio - 1)), ', ' ORDER BY o.ratio)) AS shown,
       source
FROM kept m JOIN kept o USING (setting, source, size)
WHERE m.metric = 'math' AND o.metric <> 'math'
GROUP BY setting, source, size
ORDER BY size, setting;
