-- What the paper printed, as subjects (see contrasts.sql).

CREATE OR REPLACE TEMP TABLE subjects AS
SELECT DISTINCT
  format('table {} line {}', table_number, line) AS cell,
  axis, modality, technique, method, model, dataset, size,
  parameters_b AS size_b,
  -- As it is printed; of a mixture of experts that is the size of one of them.
  parameters_b * 1e9 AS parameters,
  format('Table {}', table_number) AS source,
  format('Table {}', table_number) AS setting,
  -- What a token passes through: as many experts of the printed size as it is sent to. Unknown where that is not printed.
  CASE WHEN coalesce(experts, 1) = 1 THEN parameters_b ELSE parameters_b * top_k END AS active_b,
  NULL::INTEGER AS layers, NULL::INTEGER AS hidden_size,
  hardware, devices, experts, context_length, micro_batch_size, deepspeed,
  NULL::STRUCT(training BIGINT, truncated BIGINT, held_out_tokens BIGINT, held_out_bytes BIGINT) AS examples,
  NULL::VARCHAR AS energy_scope
FROM published;
