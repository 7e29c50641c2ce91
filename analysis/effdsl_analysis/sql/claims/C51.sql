-- int4 triples throughput (Table 9).
-- Two cases per model: the IT is higher than bfloat16's, and about three times as high.
SELECT * REPLACE ('higher, ' || size AS "case"), 'direction' AS tests
FROM than('precision', 'text', 'it_tokens_per_s', 'int4', 'higher', 'bfloat16')
UNION ALL BY NAME
SELECT '3x, ' || size AS "case", about(ratio_low, ratio_high, 3, 0.1) AS supports, format('{}; {:.3g}x', shown, ratio) AS shown,
       source, technique, 'size' AS tests
FROM against('precision', 'text', 'it_tokens_per_s', 'int4', 'bfloat16') WHERE same_size;
