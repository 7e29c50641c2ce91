-- MATH is the benchmark most sensitive to int4 (Table 16).
-- Sensitive: how much of the bfloat16 score int4 loses. Two cases per model, as the paper does not say which is meant: by
-- share of the score and in percentage points, no other benchmark loses more. With repeats, the intervals must not overlap.
WITH kept AS (
  FROM contrasted('precision', 'text') JOIN benchmarks() USING (metric)
  WHERE same_size AND method_a = 'bfloat16' AND method_b = 'int4'
),
changes AS (
  SELECT setting, source, size, label, metric, 'by share' AS measure, '%' AS unit,
         100 * (ratio - 1) AS change, 100 * (ratio_low - 1) AS change_low, 100 * (ratio_high - 1) AS change_high
  FROM kept
  UNION ALL BY NAME
  SELECT setting, source, size, label, metric, 'in points' AS measure, ' points' AS unit,
         100 * difference AS change, 100 * low AS change_low, 100 * high AS change_high
  FROM kept
)
SELECT format('{}, {}', measure, size) AS "case",
       CASE WHEN bool_or(digits12(o.change_high) < digits12(m.change_low)) THEN false
            WHEN every(digits12(o.change_low) >= digits12(m.change_high)) AND count(*) = 5 THEN true END AS supports,
       format('MATH {:+.3g}{}; {}', any_value(m.change), unit,
              string_agg(format('{} {:+.3g}', o.label, o.change), ', ' ORDER BY o.change)) AS shown,
       source
FROM changes m JOIN changes o USING (setting, source, size, measure, unit)
WHERE m.metric = 'math' AND o.metric <> 'math'
GROUP BY setting, source, size, measure, unit
ORDER BY measure, size, setting;
