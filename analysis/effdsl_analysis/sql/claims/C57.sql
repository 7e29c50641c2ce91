-- int4 lowers the mean score by 3-5 percentage points (Table 9).
-- Two cases per model: the score is lower than bfloat16's, and by 3 to 5 points once rounded to whole points.
SELECT * REPLACE ('lower, ' || size AS "case"), 'direction' AS tests
FROM than('precision', 'text', 'avg_perf', 'int4', 'lower', 'bfloat16')
UNION ALL BY NAME
SELECT '3-5 points, ' || size AS "case", roundly(-100 * difference_high, -100 * difference_low, 3, 5, 1) AS supports,
       format('{}; {:.3g} points lower', shown, -100 * difference) AS shown, source, technique,
       'size' AS tests
FROM against('precision', 'text', 'avg_perf', 'int4', 'bfloat16') WHERE same_size;
