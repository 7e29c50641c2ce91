-- bfloat16 has a lower AEC than float16 (Table 9).
-- The verdict is that of "consistently"; for "in most models", as the paper says elsewhere, see how many of them contradict
-- it.
FROM than('precision', 'text', 'aec_w', 'bfloat16', 'lower', 'float16');
