-- Pythia has a higher PPL than the transformer and than Mamba at every scale (Table 6).
SELECT * REPLACE ('transformer, ' || size AS "case") FROM than('backbone', 'text', 'ppl', 'pythia', 'higher', 'qwen2.5')
UNION ALL SELECT * REPLACE ('mamba, ' || size AS "case") FROM than('backbone', 'text', 'ppl', 'pythia', 'higher', 'mamba');
