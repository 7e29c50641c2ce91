-- The results a question is about, and what makes them comparable.
--
-- chosen(study_name, scale_name)   rows of `results`: all of them, or those of one study, of one scale (NULL: any). With
--                   `across_models := true` what was done to models that exist, which its setting calls `base`, is
--                   compared across these: scale and base are then part of what it is called.
--   comparison      what two cells must share to be compared at all; groups are never mixed. `setting`, `choices` and
--                   `details` are JSON, by the names that the stage declares. Weights that exist may have several
--                   names, e.g. of two folders with the same files: they are one scale, by the first of the names.
--                   Where a stage compares dtypes, that of the products is part of each, and not of what they share.
--   identity        what may tell two cells of one group apart when their technique's name does not. The technique
--                   is called as the study calls it: by its own axes; without a study by everything unusual.
--   examples        of a fine-tuning, what the tokenizer and the context made of the data; NULL where nothing says so
--   energy_scope    which part of the machine the meter saw ('gpu', 'module', 'package'); energies of different
--                   scopes are different quantities.
-- energy_metrics()   the metrics that also need a common meter scope.
-- trial_stages()     the stages that compare no techniques: their results are trials, by which other stages decide.
-- applies(stage, stages, is_quality, is_measured)   is a metric of these `stages` to be asked of a result of this stage? One that
--                    is of its stage is, or of all, or that it has a value of; of trials only how good each is.

CREATE OR REPLACE TEMP MACRO chosen(study_name, scale_name, across_models := false) AS TABLE
WITH of_models AS (
  SELECT *, CASE WHEN across_models AND (setting ->> 'base') IS NOT NULL THEN {scale: scale, base: setting ->> 'base'} END AS model
  FROM results
)
SELECT
  key, cell, seed, outcome, reason, missing, parameters, kernel, threads, model,
  struct_pack(
    stage := stage,
    scale := CASE WHEN model IS NULL THEN coalesce(min(scale) FILTER (base IS NOT NULL) OVER (PARTITION BY base), scale) END,
    hardware := hardware, hardware_count := hardware_count,
    setting := CASE WHEN model IS NULL THEN setting ELSE json_merge_patch(setting, '{"base": null}') END,
    dtype := CASE WHEN stage NOT IN (SELECT stage FROM axes WHERE compares_dtypes) THEN dtype END, evidence := evidence
  ) AS comparison,
  struct_pack(
    technique := concat_ws(' · ', model.scale, coalesce(called, technique)), base := model.base, choices := choices,
    engine := engine, engine_version := engine_version, details := details, parameters := parameters
  ) AS identity,
  examples, nullif(meter_scope, '') AS energy_scope
FROM of_models
LEFT JOIN (
  SELECT key, struct_pack(training := training, truncated := truncated, held_out_tokens := held_out_tokens,
                          held_out_bytes := held_out_bytes) AS examples
  FROM examples
) USING (key)
LEFT JOIN (SELECT key, any_value(technique) AS called FROM study_tasks WHERE study = study_name GROUP BY key) USING (key)
WHERE (study_name IS NULL OR called IS NOT NULL)
  AND (scale_name IS NULL OR scale = scale_name);

CREATE OR REPLACE TEMP MACRO energy_metrics() AS TABLE
SELECT name AS metric FROM metrics WHERE is_energy;

CREATE OR REPLACE TEMP MACRO trial_stages() AS TABLE
SELECT unnest(stages) AS stage FROM metrics EXCEPT SELECT stage FROM axes;

CREATE OR REPLACE TEMP MACRO applies(stage_, stages_, is_quality_, is_measured_) AS
CASE WHEN stage_ IN (FROM trial_stages()) THEN is_quality_ AND list_contains(stages_, stage_)
     ELSE is_measured_ OR len(stages_) = 0 OR coalesce(list_contains(stages_, stage_), true) END;
