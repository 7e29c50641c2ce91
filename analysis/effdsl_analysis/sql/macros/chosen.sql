-- The results a question is about, and what makes them comparable.
--
-- chosen(study_name, scale_name)   rows of `results`: all of them, or those of one study, of one scale (NULL: any).
--   comparison      what two cells must share to be compared at all; groups are never mixed.
--   identity        what may tell two cells of one group apart when their technique's name does not. The technique
--                   is called as the study calls it: by its own axes; without a study by everything unusual.
--   energy_scope    which part of the machine the meter saw ('gpu', 'module', 'package'); energies of different
--                   scopes are different quantities.
-- energy_metrics()   the metrics that also need a common meter scope.

CREATE OR REPLACE TEMP MACRO chosen(study_name, scale_name) AS TABLE
SELECT
  key, cell, seed, outcome, reason, missing, parameters, kernel,
  struct_pack(
    stage := stage, scale := scale, hardware := hardware, hardware_count := hardware_count, data := data,
    data_revision := data_revision, tokenizer := tokenizer, context_length := context_length,
    batch_size := batch_size, steps := steps, dtype := dtype, evidence := evidence
  ) AS comparison,
  struct_pack(
    technique := coalesce(called, technique), attention := attention, "position" := "position",
    feed_forward := feed_forward, backbone := backbone, aspect := aspect, engine := engine,
    engine_version := engine_version, micro_batch_size := micro_batch_size, vocab_size := vocab_size,
    layers := layers, hidden_size := hidden_size, heads := heads, parameters := parameters
  ) AS identity,
  nullif(meter_scope, '') AS energy_scope
FROM results
LEFT JOIN (SELECT key, any_value(technique) AS called FROM study_tasks WHERE study = study_name GROUP BY key) USING (key)
WHERE (study_name IS NULL OR called IS NOT NULL)
  AND (scale_name IS NULL OR scale = scale_name);

CREATE OR REPLACE TEMP MACRO energy_metrics() AS TABLE
SELECT name AS metric FROM metrics WHERE is_energy;
