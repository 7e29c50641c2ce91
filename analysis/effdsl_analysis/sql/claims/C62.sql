-- DeepSeek-R1-Distill-Qwen-1.5B: bfloat16 has lower latency and lower AEC than float16 (Table 9).
SELECT * REPLACE ('Sum AL, ' || size AS "case")
FROM than('precision', 'text', 'sum_al_s', 'bfloat16', 'lower', 'float16') WHERE size = 'deepseek-r1-distill-qwen-1.5b'
UNION ALL
SELECT * REPLACE ('AEC, ' || size AS "case")
FROM than('precision', 'text', 'aec_w', 'bfloat16', 'lower', 'float16') WHERE size = 'deepseek-r1-distill-qwen-1.5b';
