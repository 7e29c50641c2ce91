-- What the paper printed, as subjects (see contrasts.sql).

CREATE OR REPLACE TEMP TABLE subjects AS
SELECT DISTINCT
  format('table {} line {}', table_number, line) AS cell,
  axis, modality, technique, method, model, dataset, size,
  parameters_b AS size_b,
  format('Table {}', table_number) AS source,
  format('Table {}', table_number) AS setting,
  hardware, devices, experts, context_length, micro_batch_size, deepspeed,
  NULL::VARCHAR AS energy_scope
FROM published;
