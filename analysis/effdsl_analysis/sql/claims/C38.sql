-- Freeze is at least 3x faster per iteration than any other PEFT method (Table 7).
-- Two cases per model: it is faster, and the next fastest takes at least three times as long.
WITH nearest AS (
  SELECT size, billions, setting, source, technique_a AS technique, a,
         every(within(ratio_low, ratio_high, 3, 'infinity'::DOUBLE)) AS supports,
         format('{} {:.5g}; {} takes {:.3g}x as long', technique_a, any_value(value_a),
                first(technique_b ORDER BY ratio, technique_b), min(ratio)) AS shown
  FROM compared('fine_tuning', 'text', 'al_s_per_iter')
  WHERE same_size AND method_a = 'freeze' AND method_b NOT IN ('freeze', 'full') AND about_data(dataset, 'openo1-sft')
  GROUP BY size, billions, setting, source, technique_a, a
)
SELECT * REPLACE ('faster, ' || size AS "case"), 'direction' AS tests
FROM extreme_but('fine_tuning', 'text', 'al_s_per_iter', 'freeze', 'lowest', ['full']) WHERE about_data(dataset, 'openo1-sft')
UNION ALL BY NAME
(SELECT 'at least 3x, ' || size AS "case", supports, shown, source, technique, 'size' AS tests FROM nearest
 ORDER BY billions, size, setting, a);
