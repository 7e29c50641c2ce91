-- paper_methods()   what the paper calls a technique, where that is not our name in lower case: technique, method

CREATE OR REPLACE TEMP MACRO paper_methods() AS TABLE
FROM (VALUES
  ('Sinusoidal', 'absolute'), ('Learned', 'learnable_absolute'), ('T5Bias', 'relative'), ('NoPE', 'none'),
  ('SwiGLU', 'dense'), ('Transformer', 'qwen2.5'), ('RWKV4', 'rwkv')
) AS m (technique, method);
