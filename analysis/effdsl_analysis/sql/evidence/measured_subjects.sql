-- What was measured, as subjects (see contrasts.sql). Parameter: $study (NULL: everything).
--
-- A result is a subject of every axis along which it can be compared: what else was chosen becomes part of the setting.
-- `method` is the paper's word for the technique's family, so that one claim can be asked of any evidence. A technique is
-- called by its choice on the axis, whatever a study calls it: the usual transformer is RoPE beside ALiBi and GQA beside
-- MHA. What is not usual of the rest is named with it, from the outside in.

CREATE OR REPLACE TEMP TABLE subjects AS
WITH
families AS (
  FROM (VALUES
    ('Sinusoidal', 'absolute'), ('Learned', 'learnable_absolute'), ('T5Bias', 'relative'), ('NoPE', 'none'),
    ('SwiGLU', 'dense'), ('Transformer', 'qwen2.5'), ('RWKV4', 'rwkv')) AS f (family, method)
),
found AS (
  SELECT c.*, r.attention, r."position", r.feed_forward, r.backbone, r.aspect, r.scale,
         r.active_parameters, r.layers, r.hidden_size,
         coalesce(r.attention, '') = 'GQA' AND coalesce(r."position", '') = 'RoPE'
           AND coalesce(r.feed_forward, '') = 'SwiGLU' AS usual
  FROM chosen($study, NULL) c JOIN results r USING (key)
  WHERE c.outcome = 'ok'
),
along AS (
  SELECT *, 'attention' AS axis, attention AS choice, [backbone, "position", feed_forward, aspect] AS rest
  FROM found WHERE attention <> '' AND backbone = 'Transformer'
  UNION ALL
  SELECT *, 'position', "position", [backbone, attention, feed_forward, aspect]
  FROM found WHERE "position" <> '' AND backbone = 'Transformer'
  UNION ALL
  SELECT *, 'feed_forward', feed_forward, [backbone, attention, "position", aspect]
  FROM found WHERE feed_forward <> '' AND backbone = 'Transformer'
  UNION ALL
  SELECT *, 'backbone', backbone, []
  FROM found WHERE backbone <> '' AND (backbone <> 'Transformer' OR usual) AND coalesce(aspect, '') = ''
  UNION ALL
  SELECT *, 'shape', aspect, [backbone, attention, "position", feed_forward]
  FROM found WHERE aspect <> ''
),
named AS (
  SELECT *, CASE WHEN axis = 'shape' THEN choice ELSE regexp_extract(choice, '^[A-Za-z0-9_]+') END AS family,
         try_cast(regexp_extract(scale, '^[0-9.]+') AS DOUBLE)
           / CASE right(scale, 1) WHEN 'B' THEN 1 WHEN 'M' THEN 1e3 WHEN 'K' THEN 1e6 END AS size_b
  FROM along
),
judged AS (
  SELECT n.*,
         -- Only a transformer's parts are known here; another backbone's own name says what is not usual of it.
         CASE WHEN axis = 'backbone' AND backbone <> 'Transformer' THEN identity.technique
              ELSE concat_ws(' · ',
                CASE WHEN axis = 'backbone' OR backbone <> 'Transformer' THEN nullif(backbone, '') END,
                nullif(aspect, ''),
                CASE WHEN axis = 'attention' OR attention <> 'GQA' THEN nullif(attention, '') END,
                CASE WHEN axis = 'position' OR "position" <> 'RoPE' THEN nullif("position", '') END,
                CASE WHEN axis = 'feed_forward' OR feed_forward <> 'SwiGLU' THEN nullif(feed_forward, '') END) END AS called,
         coalesce(f.method, lower(n.family)) AS method,
         sha256(concat_ws(chr(31), axis, rest::VARCHAR, struct_pack(
           hardware := comparison.hardware, hardware_count := comparison.hardware_count, data := comparison.data,
           data_revision := comparison.data_revision, tokenizer := comparison.tokenizer,
           context_length := comparison.context_length, batch_size := comparison.batch_size,
           steps := comparison.steps, dtype := comparison.dtype, evidence := comparison.evidence)::VARCHAR)) AS setting
  FROM named n LEFT JOIN families f USING (family)
)
SELECT cell || ' ' || axis AS cell, axis, 'text' AS modality,
       any_value(called) AS technique, any_value(method) AS method, NULL::VARCHAR AS model,
       any_value(comparison.data) AS dataset, any_value(scale) AS size, any_value(size_b) AS size_b,
       any_value(parameters)::DOUBLE AS parameters,
       any_value(concat_ws(' · ', comparison.hardware || coalesce(' x ' || nullif(comparison.hardware_count, 1), ''),
                           comparison.data, format('context {}', comparison.context_length),
                           format('{} steps of {} sequences', comparison.steps, comparison.batch_size),
                           comparison.dtype)) AS source,
       setting,
       any_value(active_parameters) / 1e9 AS active_b,
       any_value(layers)::INTEGER AS layers, any_value(hidden_size)::INTEGER AS hidden_size,
       any_value(comparison.hardware) AS hardware, any_value(comparison.hardware_count)::INTEGER AS devices,
       any_value(try_cast(regexp_extract(feed_forward, 'experts=([0-9]+)', 1) AS INTEGER)) AS experts,
       any_value(comparison.context_length)::INTEGER AS context_length,
       any_value(identity.micro_batch_size)::INTEGER AS micro_batch_size,
       NULL::BOOLEAN AS deepspeed,
       any_value(energy_scope) AS energy_scope
FROM judged
GROUP BY cell, axis, setting
-- One choice at several sizes is nothing to compare.
QUALIFY min(any_value(choice)) OVER (PARTITION BY axis, setting) <> max(any_value(choice)) OVER (PARTITION BY axis, setting);
