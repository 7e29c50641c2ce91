-- NSA has the lowest AEC (average power) at every scale; 594.23 W is the minimum (Table 3).
-- The number is a case of its own, which only sizes of 0.5B to 3B can say; without one it is open.
WITH
leads AS (SELECT *, 'direction' AS tests FROM extreme('attention', 'text', 'aec_w', 'nsa', 'lowest')),
minimum AS (FROM lowest_number('attention', 'text', 'aec_w', 594.23, 0.01))
FROM leads
UNION ALL BY NAME FROM minimum
UNION ALL BY NAME
SELECT '594.23 is the lowest' AS "case", NULL AS supports, 'missing: a size of 0.5B to 3B' AS shown, 'size' AS tests
WHERE EXISTS (FROM leads) AND NOT EXISTS (FROM minimum);
