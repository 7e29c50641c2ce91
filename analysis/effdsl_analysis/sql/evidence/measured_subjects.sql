-- What was measured, as subjects (see contrasts.sql). Parameters: $study (NULL: everything), $across_models.
--
-- A result is a subject of every axis along which it can be compared: what else was chosen becomes part of the setting. An
-- axis within another (attention, within a backbone) is compared where the other has what is usual. What is usual on an
-- axis that has others within it is compared where those are usual too; what is not, whatever those are.
-- `method` and `dataset` are the paper's words, so that one claim can be asked of any evidence. A technique is called by
-- its choice on the axis, whatever a study calls it: the usual transformer is RoPE beside ALiBi and GQA beside MHA. What is
-- not usual of the rest is named with it, from the outside in. A size is a scale or, where that is more than a number, a
-- model, so that its weights (`base`) are no part of the setting; its billions are those that it is called by, else its
-- parameters. What a stage says of learning rates is in `source`.

CREATE OR REPLACE TEMP TABLE subjects AS
WITH
found AS (
  SELECT c.*, r.stage, r.choices, comparison.setting AS said, r.details, comparison.scale AS scale, r.active_parameters,
         r.hardware, r.hardware_count, r.dtype, r.evidence,
         regexp_extract(lower(r.scale), '(?:^|[^a-z0-9.])([0-9.]+)([bmk])(?:$|[^a-z0-9])', ['number', 'unit']) AS named
  FROM chosen($study, NULL, across_models := $across_models) c JOIN results r USING (key)
  WHERE c.outcome = 'ok'
),
-- Each cell has a row for each of its axes.
has AS (
  SELECT cell, choices, axis, place, within, batch_of, choices -> axis ->> 'technique' AS family, choices -> axis ->> 'label' AS choice,
         (choices -> axis ->> 'usual')::BOOLEAN AS usual
  FROM (SELECT cell, any_value(choices) AS choices, any_value(stage) AS stage,
               unnest(json_keys(any_value(choices))) AS axis FROM found GROUP BY cell)
       JOIN axes USING (stage, axis)
),
along AS (
  SELECT h.cell, h.axis, h.family, h.choice, h.batch_of,
         string_agg(o.choice, ' · ' ORDER BY o.place) FILTER (o.axis = h.axis OR NOT o.usual) AS called,
         list(o.axis || ' ' || o.choice ORDER BY o.place)
           FILTER (o.axis <> h.axis AND o.within IS DISTINCT FROM h.axis) AS rest
  FROM has h JOIN has o USING (cell)
  WHERE h.within IS NULL OR (h.cell, h.within) IN (SELECT (cell, axis) FROM has WHERE usual)
  GROUP BY ALL
  HAVING NOT (any_value(h.usual) AND coalesce(bool_or(o.within = h.axis AND NOT o.usual), false))
),
judged AS (
  SELECT f.* EXCLUDE (model), a.axis, concat_ws(' · ', f.model.scale, f.model.base, a.choice) AS choice,
         concat_ws(' · ', f.model.scale, a.called) AS called, a.batch_of, coalesce(m.method, lower(a.family)) AS method,
         coalesce(try_cast(f.named['number'] AS DOUBLE) / CASE f.named['unit'] WHEN 'b' THEN 1 WHEN 'm' THEN 1e3 WHEN 'k' THEN 1e6 END,
                  f.parameters / 1e9) AS size_b,
         coalesce(d.dataset, f.said ->> 'data') AS dataset,
         CASE WHEN f.scale NOT SIMILAR TO '[0-9.]+[KMBT]?' THEN f.scale END AS model,
         CASE f.said ->> 'learning_rates_tried' WHEN '' THEN 'learning rates not tuned'
              ELSE 'best of learning rates ' || (f.said ->> 'learning_rates_tried') END AS tuning,
         sha256(concat_ws(chr(31), a.axis, coalesce(a.rest, [])::VARCHAR, f.hardware, f.hardware_count,
                          json_merge_patch(f.said, '{"base": null}'), f.comparison.dtype, f.evidence)) AS setting
  FROM found f JOIN along a USING (cell) LEFT JOIN paper_methods() m ON m.technique = a.family
  LEFT JOIN paper_datasets() d ON d.data = (f.said ->> 'data')
)
SELECT cell || ' ' || axis AS cell, axis, 'text' AS modality,
       any_value(called) AS technique, any_value(method) AS method, any_value(model) AS model,
       any_value(dataset) AS dataset, any_value(scale) AS size, any_value(size_b) AS size_b,
       any_value(parameters)::DOUBLE AS parameters,
       any_value(concat_ws(' · ', hardware || coalesce(' x ' || nullif(hardware_count, 1), ''), said ->> 'data',
                           format('context {}', said ->> 'context_length'),
                           format('{} steps of {} {}', said ->> 'steps', said ->> 'batch_size', batch_of), tuning,
                           format('prompts of {}, {} new', said ->> 'prompt_tokens', said ->> 'new_tokens'), said ->> 'load',
                           comparison.dtype)) AS source,
       setting,
       any_value(active_parameters) / 1e9 AS active_b,
       any_value((details ->> 'layers')::INTEGER) AS layers, any_value((details ->> 'hidden_size')::INTEGER) AS hidden_size,
       any_value(hardware) AS hardware, any_value(hardware_count)::INTEGER AS devices,
       any_value((details ->> 'experts')::INTEGER) AS experts,
       any_value((said ->> 'context_length')::INTEGER) AS context_length,
       any_value((details ->> 'micro_batch_size')::INTEGER) AS micro_batch_size,
       NULL::BOOLEAN AS deepspeed,
       any_value(examples) AS examples,
       any_value(energy_scope) AS energy_scope
FROM judged
GROUP BY cell, axis, setting
-- One choice at several sizes is nothing to compare, unless across models.
QUALIFY min(any_value(choice)) OVER (PARTITION BY axis, setting) <> max(any_value(choice)) OVER (PARTITION BY axis, setting);
