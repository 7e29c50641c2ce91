-- paper_methods()    what the paper calls a technique, where that is not our name in lower case: technique, method
-- paper_datasets()   what it calls the data that it trained on: data, dataset

CREATE OR REPLACE TEMP MACRO paper_methods() AS TABLE
FROM (VALUES
  ('Sinusoidal', 'absolute'), ('Learned', 'learnable_absolute'), ('T5Bias', 'relative'), ('NoPE', 'none'),
  ('SwiGLU', 'dense'), ('Transformer', 'qwen2.5'), ('RWKV4', 'rwkv'), ('LoRAPlus', 'lora-plus'),
  ('BF16', 'bfloat16'), ('FP16', 'float16')
) AS m (technique, method);

CREATE OR REPLACE TEMP MACRO paper_datasets() AS TABLE
FROM (VALUES
  ('FineWebEdu', 'fineweb-edu'), ('OpenO1SFT', 'openo1-sft'), ('MedicalO1', 'medical-o1-reasoning-sft')
) AS d (data, dataset);
