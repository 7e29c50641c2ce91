-- Words about whole tables, for claims that look across sizes or at all metrics at once. See words.sql.
--
--   lowest_of_all(axis, modality, metric, method)             case: is the lowest value of all sizes method's?
--   lowest_number(axis, modality, metric, claimed, digit)     case: is that value the number claimed?
--                 Both look at 0.5B to 3B, the sizes of the tables that print such numbers.
--   judged_metrics()      the metrics by which the paper judges methods (axis, modality, metric): the columns that it
--                         marks with an arrow. Not GPU hours, which have none, nor the six benchmarks of Table 16, which
--                         are the parts of one metric, the mean score.
--   block_contrasts()     contrasts by those metrics within a block: one axis, setting and size; or one axis and setting
--                         where techniques are named with their size, as in Table 5. `better`, `worse`, `unclear` say it
--                         of a against b.
--   best_on_all()         cases: is no method best on every metric of its block? One per block. An equal value is best.
--   worse_on_all()        cases: is no method of the block worse than another one on every metric? One per block.
--                 A block that lacks a metric of judged_metrics() can contradict neither.

CREATE OR REPLACE TEMP MACRO printed_sizes(axis_, modality_, metric_) AS TABLE
FROM figures WHERE axis = axis_ AND modality = modality_ AND metric = metric_ AND size_b BETWEEN 0.5 AND 3;

CREATE OR REPLACE TEMP MACRO lowest_of_all(axis_, modality_, metric_, method_) AS TABLE
WITH
rivals AS (
  SELECT coalesce(list(DISTINCT method ORDER BY method), []) AS methods
  FROM published WHERE axis = axis_ AND modality = modality_ AND method <> method_
),
own AS (
  FROM printed_sizes(axis_, modality_, metric_) WHERE method = method_
  QUALIFY row_number() OVER (PARTITION BY setting ORDER BY value, cell) = 1
),
judged AS (
  SELECT o.setting, o.source, o.technique, o.size, o.value,
         bool_or(c.verdict = 'lower') AS beaten, bool_or(open(c.verdict)) AS unclear,
         list_sort(list(r.technique || ' ' || r.size) FILTER (c.verdict = 'equal')) AS tied_with,
         list_filter(any_value(methods), lambda m: NOT list_contains(list(r.method), m)) AS absent,
         format('{} {}: {:.5g}', min_by(r.technique, r.value), min_by(r.size, r.value), min(r.value)) AS nearest
  FROM own o, rivals, printed_sizes(axis_, modality_, metric_) r, contrasts c
  WHERE r.method <> method_ AND c.metric = metric_ AND c.a = o.cell AND c.b = r.cell
  GROUP BY o.setting, o.source, o.technique, o.size, o.value
)
SELECT 'lowest of all sizes' AS "case",
       CASE WHEN beaten THEN false WHEN NOT unclear AND len(absent) = 0 THEN true END AS supports,
       format('{} {}: {:.5g}; lowest of the others, {}', technique, size, value, nearest)
         || CASE WHEN len(absent) > 0 THEN format('; missing: {}', array_to_string(absent, ', ')) ELSE '' END AS shown,
       setting, source, technique, tied_with, 'direction' AS tests
FROM judged ORDER BY setting;

CREATE OR REPLACE TEMP MACRO lowest_number(axis_, modality_, metric_, claimed_, digit_) AS TABLE
SELECT format('{} is the lowest', claimed_) AS "case", roundly(low, high, claimed_, claimed_, digit_) AS supports,
       format('the lowest is {:.5g}: {} {}', value, technique, size) AS shown, setting, source, technique,
       'size' AS tests
FROM printed_sizes(axis_, modality_, metric_)
QUALIFY row_number() OVER (PARTITION BY setting ORDER BY value, cell) = 1
ORDER BY setting;

CREATE OR REPLACE TEMP MACRO judged_metrics() AS TABLE
SELECT DISTINCT axis, modality, metric FROM published WHERE table_number <> 16 AND metric <> 'gpu_hours_per_gpu';

CREATE OR REPLACE TEMP MACRO block_contrasts() AS TABLE
WITH placed AS (
  SELECT cell, axis, modality, CASE WHEN NOT ends_with(technique, ' ' || size) THEN size END AS block_size, size_b
  FROM subjects
)
SELECT c.setting, c.source, c.axis, x.modality, x.block_size, coalesce(x.size_b, 0) AS billions,
       concat_ws(' ', replace(c.axis, '_', '-'), x.block_size) AS block, c.metric, m.label, a, b, technique_a, technique_b,
       verdict = CASE m.better WHEN 'lower' THEN 'higher' ELSE 'lower' END AS better,
       verdict = m.better AS worse, open(verdict) AS unclear
FROM contrasts c JOIN placed x ON x.cell = c.a JOIN placed y ON y.cell = c.b JOIN metrics m ON m.name = c.metric
JOIN judged_metrics() j ON j.axis = c.axis AND j.modality = x.modality AND j.metric = c.metric
WHERE x.block_size IS NOT DISTINCT FROM y.block_size;

CREATE OR REPLACE TEMP MACRO best_on_all() AS TABLE
WITH
wanted AS (SELECT axis, modality, count(*) AS metrics FROM judged_metrics() GROUP BY axis, modality),
places AS (
  SELECT setting, source, axis, modality, block, a, technique_a AS technique, min(billions) AS billions, label,
         bool_or(worse) AS beaten, bool_or(unclear) AS unclear
  FROM block_contrasts() GROUP BY setting, source, axis, modality, block, a, technique_a, label
),
methods AS (
  SELECT setting, source, axis, modality, block, technique, min(billions) AS billions,
         bool_or(beaten) AS beaten, bool_or(unclear) OR count(*) < any_value(metrics) AS unclear,
         count(*) FILTER (NOT beaten AND NOT unclear) AS best, count(*) AS compared, any_value(metrics) AS metrics,
         string_agg(label, ', ' ORDER BY label) FILTER (NOT beaten AND NOT unclear) AS labels
  FROM places JOIN wanted USING (axis, modality)
  GROUP BY setting, source, axis, modality, block, a, technique
)
SELECT block AS "case",
       CASE WHEN bool_and(beaten) THEN true WHEN bool_or(NOT beaten AND NOT unclear) THEN false END AS supports,
       CASE WHEN max(best) = 0 AND bool_and(beaten) THEN format('each is certainly beaten on one of {} or more', max(compared))
            WHEN max(best) = 0 THEN format('none is certainly best on any of {}, nor each certainly beaten', max(compared))
            ELSE format('{} is best on {} of {}: {}', min_by(technique, (-best, technique)), max(best), any_value(metrics),
                        min_by(labels, (-best, technique))) END AS shown,
       setting, source, axis, modality
FROM methods GROUP BY setting, source, axis, modality, block
ORDER BY length(source), source, axis, min(billions), block, setting;

CREATE OR REPLACE TEMP MACRO worse_on_all() AS TABLE
WITH
wanted AS (SELECT axis, modality, count(*) AS metrics FROM judged_metrics() GROUP BY axis, modality),
pairs AS (
  SELECT setting, source, axis, modality, block, a, technique_a, technique_b,
         min(billions) AS billions, any_value(metrics) AS metrics,
         bool_and(worse) AND count(*) = any_value(metrics) AS worse_on_all,
         bool_and(worse OR unclear) AND NOT worse_on_all AS unclear
  FROM block_contrasts() JOIN wanted USING (axis, modality)
  GROUP BY setting, source, axis, modality, block, a, b, technique_a, technique_b
),
rows_worse AS (
  SELECT setting, source, axis, modality, block, technique_a, min(billions) AS billions, any_value(metrics) AS metrics,
         bool_or(worse_on_all) AS worse_on_all, bool_or(unclear) AS unclear,
         string_agg(technique_b, ', ' ORDER BY technique_b) FILTER (worse_on_all) AS than_which
  FROM pairs GROUP BY setting, source, axis, modality, block, a, technique_a
)
SELECT block AS "case", CASE WHEN bool_or(worse_on_all) THEN false WHEN NOT bool_or(unclear) THEN true END AS supports,
       format('on all {}: {}', any_value(metrics),
              coalesce(string_agg(format('{} is worse than {}', technique_a, than_which), '; ' ORDER BY technique_a)
                         FILTER (worse_on_all),
                       format('none is {}worse than another', CASE WHEN bool_or(unclear) THEN 'certainly ' ELSE '' END))) AS shown,
       setting, source, axis, modality
FROM rows_worse GROUP BY setting, source, axis, modality, block
ORDER BY length(source), source, axis, min(billions), block, setting;
