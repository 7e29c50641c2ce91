-- RWKV uses less memory and power than the transformer at every scale (Table 6).
SELECT * REPLACE ('AMU, ' || size AS "case") FROM than('backbone', 'text', 'amu_gb', 'rwkv', 'lower', 'qwen2.5')
UNION ALL SELECT * REPLACE ('AEC, ' || size AS "case") FROM than('backbone', 'text', 'aec_w', 'rwkv', 'lower', 'qwen2.5');
