-- The groups in which the paper's leaderboard ranks techniques.
--
-- published_groups()   one row per group: name, place, title, table_number, the range of sizes (billions of parameters,
--                      NULL: any), and the quality metric.
-- published_rows()     the rows of `published` that take part, with their group; the leaderboard leaves out "None",
--                      which is no positional encoding.
-- paper_metrics()      what is ranked beside quality, in the order of the paper's columns: name, place. What describes a
--                      run (GPU hours, context, devices) is not.

CREATE OR REPLACE TEMP MACRO published_groups() AS TABLE
FROM (VALUES
  ('attention', 1, 'Attention', 3, NULL::DOUBLE, NULL::DOUBLE, 'ppl'),
  ('positional_encoding', 2, 'Positional encoding', 4, NULL, NULL, 'ppl'),
  ('moe', 3, 'Mixture of experts', 5, NULL, NULL, 'ppl'),
  ('attention_free', 4, 'Attention-free', 6, NULL, NULL, 'ppl'),
  ('fine_tuning_1b_3b', 5, 'Fine-tuning, 1B to 3B', 7, 1, 3, 'loss'),
  ('fine_tuning_7b_8b', 6, 'Fine-tuning, 7B to 8B', 7, 7, 8, 'loss'),
  ('fine_tuning_14b_24b', 7, 'Fine-tuning, 14B to 24B', 7, 14, 24, 'loss'),
  ('quantization_1.5b_3.8b', 8, 'Quantization, 1.5B to 3.8B', 9, 1.5, 3.8, 'avg_perf'),
  ('quantization_7b_8b', 9, 'Quantization, 7B to 8B', 9, 7, 8, 'avg_perf'),
  ('quantization_14b_34b', 10, 'Quantization, 14B to 34B', 9, 14, 34, 'avg_perf')
) AS g ("group", place, title, table_number, least_b, most_b, quality);

CREATE OR REPLACE TEMP MACRO published_rows() AS TABLE
SELECT g."group", g.place, g.title, g.quality, p.*
FROM published p JOIN published_groups() g
  ON g.table_number = p.table_number AND coalesce(p.parameters_b >= g.least_b AND p.parameters_b <= g.most_b, g.least_b IS NULL)
WHERE NOT (g."group" = 'positional_encoding' AND p.method = 'none');

CREATE OR REPLACE TEMP MACRO paper_metrics() AS TABLE
FROM (VALUES
  ('amu_gb', 1), ('pcu', 2), ('al_s_per_iter', 3), ('sum_al_s', 4), ('tt_tokens_per_param_s', 5),
  ('st_samples_per_param_s', 6), ('it_tokens_per_s', 7), ('aec_w', 8), ('mcr', 9)
) AS m (name, place);
