-- bfloat16 and float16 scores differ little (Table 16).
-- Little: by at most one percentage point. A case per model and benchmark.
SELECT format('{}, {}', label, size) AS "case", within(low, high, -0.01, 0.01) AS supports,
       format('bfloat16 {:.4g}; float16 {:.4g}; {:.3g} points (limit 1)', value_a, value_b,
              100 * abs(difference)) AS shown,
       source
FROM contrasted('precision', 'text') JOIN benchmarks() USING (metric)
WHERE same_size AND method_a = 'bfloat16' AND method_b = 'float16'
ORDER BY size, label, setting;
