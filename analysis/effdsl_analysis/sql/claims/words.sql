-- The words in which claims are written, over the tables subjects, figures and contrasts.
--
-- A claim returns cases: ("case" VARCHAR, supports BOOLEAN, shown VARCHAR). A case is one place where the statement
-- can be tested, a scale or a model say; `supports` is NULL where the evidence cannot decide it (a rival is missing,
-- an interval holds zero); `shown` is what was compared. More columns may follow, to filter on: setting, source, model,
-- dataset, size, billions (of parameters), technique. Cases from several sources are shown with their source. Two columns
-- are shown where they are filled: `tests`, in a claim that names a number (kinds.sql), is 'size' where the case tests that
-- number and 'direction' where it tests which way it goes; `tied_with` lists methods of equal value. What the cases of a
-- claim say together is in verdicts.sql.
--
-- What a word means, once for all claims:
--   lowest, highest      no rival is certainly beyond it; an equal value is still the lowest, and is named. To support it,
--                        every method that the paper compares along that axis must be there; to contradict it, one is
--                        enough.
--   lower than, higher   strict: an equal value contradicts, an interval that holds zero decides nothing.
--   about 25%, 3.9x      within 10% of the number, or within rounding of its last printed digit if that is wider.
--   22-25%               from 22 to 25 once rounded to the printed digits.
--   up to 3.9x           the largest is about 3.9x; so none goes further.
--   42.24 GB             the number itself, within rounding of its last printed digit.
--   A metric that the evidence compares nowhere along an axis makes undecided cases, one where each value would stand.
--   The size of an effect is a case of its own beside its direction. With repeats, an interval wholly inside a range
--   supports, one wholly outside contradicts, any other decides nothing.
--
-- Words about an interval low..high (for one number, give it twice):
--   within(low, high, least, most)            does it lie in least..most?
--   roundly(low, high, least, most, digit)    does it, once rounded to steps of `digit` (1 for 25%, 0.1 for 3.9x)?
--   about(low, high, claimed, digit)          is it about `claimed`?
--   interval_shown(low, high)                 ' [low, high]', or nothing if it is one number
--   left_out(methods)                         '; left out: full', or nothing if there are none
-- A word about cases that are tested together: every(supports), an aggregate: is none false and none undecided?
-- about_data(dataset, claimed): is a claim that is printed of one data set about this one? It is, and about data of which the
-- paper prints nothing: what is measured on those is its own evidence, as it is of a size that the paper has not.
-- benchmarks(): the metrics whose mean is avg_perf, with their labels.
-- Words about methods, each FROM one of them; 'lower' and 'lowest' may be 'higher' and 'highest':
--   contrasted(axis, modality)                          contrasts with the conditions a claim names; `size`,
--                                                       `billions` and `active_b` are a's, with other_ before them b's
--   compared(axis, modality, metric)                    the same, of one metric
--   extreme(axis, modality, metric, method, 'lowest')   cases: is method the lowest? One per size.
--   extreme_but(axis, modality, metric, method, 'lowest', but)   the same, the methods of the list `but` left out
--   better_half(axis, modality, metric, method, 'lowest', but)   cases: are at most half of the others lower?
--   than(axis, modality, metric, a, 'lower', b)         cases: is a lower than b? One per size.
--   pairwise(axis, modality, metric, a, 'lower', b)     the same, one per pair of whatever sizes
--   against(axis, modality, metric, a, b)               how far a is from b, one row per size: ratio (a over b),
--                                                       percent (a above b), difference (a minus b), each with _low
--                                                       and _high. No cases yet: `about` makes them.

CREATE OR REPLACE TEMP MACRO within(low_, high_, least_, most_) AS
CASE WHEN digits12(low_) >= digits12(least_) AND digits12(high_) <= digits12(most_) THEN true
     WHEN digits12(high_) < digits12(least_) OR digits12(low_) > digits12(most_) THEN false END;

CREATE OR REPLACE TEMP MACRO roundly(low_, high_, least_, most_, digit_) AS
within(low_, high_, least_ - digit_ / 2, most_ + digit_ / 2);

CREATE OR REPLACE TEMP MACRO about(low_, high_, claimed_, digit_) AS
within(low_, high_, claimed_ - greatest(abs(claimed_) / 10, digit_ / 2), claimed_ + greatest(abs(claimed_) / 10, digit_ / 2));

CREATE OR REPLACE TEMP MACRO open(verdict_) AS verdict_ IN ('tied', 'undecided');
CREATE OR REPLACE TEMP MACRO left_out(methods_) AS
coalesce('; left out: ' || array_to_string(list_sort(list_distinct(methods_)), ', '), '');
CREATE OR REPLACE TEMP MACRO noted(verdict_) AS CASE WHEN open(verdict_) THEN format(' ({})', verdict_) ELSE '' END;

CREATE OR REPLACE TEMP MACRO interval_shown(low_, high_) AS
CASE WHEN digits12(low_) < digits12(high_) THEN format(' [{:+.4g}, {:+.4g}]', low_, high_) ELSE '' END;

CREATE OR REPLACE TEMP MACRO every(supports_) AS
CASE WHEN bool_or(NOT supports_) THEN false WHEN count(*) = count(supports_) THEN true END;

CREATE OR REPLACE TEMP MACRO about_data(dataset_, claimed_) AS
coalesce(dataset_ = claimed_ OR dataset_ NOT IN (SELECT dataset FROM published WHERE dataset IS NOT NULL), true);

CREATE OR REPLACE TEMP MACRO benchmarks() AS TABLE
SELECT name AS metric, label FROM metrics WHERE name IN ('mmlu_pro', 'bbh', 'gpqa', 'ifeval', 'math', 'musr');

-- Joined once: most claims ask for it.
CREATE OR REPLACE TEMP TABLE comparisons AS
SELECT c.* EXCLUDE (size_a, size_b), x.modality, x.model, x.dataset,
       x.size, x.size_b AS billions, x.active_b, y.size AS other_size, y.size_b AS other_billions, y.active_b AS other_active_b
FROM contrasts c JOIN subjects x ON x.cell = c.a JOIN subjects y ON y.cell = c.b;

CREATE OR REPLACE TEMP MACRO contrasted(axis_, modality_) AS TABLE
FROM comparisons WHERE axis = axis_ AND modality = modality_;
CREATE OR REPLACE TEMP MACRO compared(axis_, modality_, metric_) AS TABLE
FROM contrasted(axis_, modality_) WHERE metric = metric_;

CREATE OR REPLACE TEMP MACRO unmeasured(axis_, modality_, metric_, method_) AS TABLE
SELECT NULL::BOOLEAN AS supports, format('missing: {} of {}', label, technique) AS shown,
       setting, source, model, dataset, size, size_b AS billions, active_b, technique
FROM subjects JOIN metrics ON name = metric_
WHERE axis = axis_ AND modality = modality_ AND method = method_ AND NOT EXISTS (FROM compared(axis_, modality_, metric_));

CREATE OR REPLACE TEMP MACRO extreme_but(axis_, modality_, metric_, method_, which_, but_) AS TABLE
WITH
rivals AS (
  SELECT coalesce(list(DISTINCT method ORDER BY method), []) AS methods
  FROM published WHERE axis = axis_ AND modality = modality_ AND method <> method_ AND NOT list_contains(but_, method)
),
same_sized AS (
  FROM compared(axis_, modality_, metric_) WHERE same_size AND method_a = method_ AND method_b <> method_
),
judged AS (
  SELECT setting, source, model, dataset, size, billions, technique_a AS technique, a, any_value(value_a) AS value,
         bool_or(verdict = CASE which_ WHEN 'lowest' THEN 'lower' ELSE 'higher' END) AS beaten,
         bool_or(open(verdict)) AS unclear,
         list_filter(any_value(methods), lambda m: NOT list_contains(list(method_b), m)) AS absent,
         list_sort(list(technique_b) FILTER (verdict = 'equal')) AS tied_with,
         string_agg(format('{} {:.5g}', technique_b, value_b) || noted(verdict), ', '
                    ORDER BY CASE which_ WHEN 'lowest' THEN value_b ELSE -value_b END, technique_b) AS others
  FROM same_sized, rivals
  WHERE NOT list_contains(but_, method_b)
  GROUP BY setting, source, model, dataset, size, billions, technique_a, a
),
aside AS (SELECT a, list(technique_b) AS names FROM same_sized WHERE list_contains(but_, method_b) GROUP BY a)
SELECT size AS "case",
       CASE WHEN beaten THEN false WHEN unclear OR len(absent) > 0 THEN NULL ELSE true END AS supports,
       format('{} {:.5g}; {}', technique, value, others)
         || CASE WHEN len(absent) > 0 THEN format('; missing: {}', array_to_string(absent, ', ')) ELSE '' END
         || left_out(names) AS shown,
       setting, source, model, dataset, size, billions, technique, tied_with
FROM judged LEFT JOIN aside USING (a)
UNION ALL BY NAME
SELECT size AS "case", * EXCLUDE (active_b) FROM unmeasured(axis_, modality_, metric_, method_)
ORDER BY billions, size, setting, technique;

CREATE OR REPLACE TEMP MACRO extreme(axis_, modality_, metric_, method_, which_) AS TABLE
FROM extreme_but(axis_, modality_, metric_, method_, which_, []);

CREATE OR REPLACE TEMP MACRO better_half(axis_, modality_, metric_, method_, which_, but_) AS TABLE
SELECT size AS "case",
       CASE WHEN beyond > rivals / 2 THEN false WHEN beyond + unclear <= rivals / 2 THEN true END AS supports,
       format('{} {:.5g}; {} of {} others {}', technique, value, beyond, rivals, sought) || left_out(aside) AS shown,
       setting, source, model, dataset, size, billions, technique
FROM (
  SELECT setting, source, model, dataset, size, billions, technique_a AS technique, a, any_value(value_a) AS value,
         any_value(sought) AS sought,
         count(*) FILTER (rival) AS rivals, count(*) FILTER (rival AND verdict = sought) AS beyond,
         count(*) FILTER (rival AND open(verdict)) AS unclear, list(technique_b) FILTER (NOT rival) AS aside
  FROM (
    SELECT *, NOT list_contains(but_, method_b) AS rival, CASE which_ WHEN 'lowest' THEN 'lower' ELSE 'higher' END AS sought
    FROM compared(axis_, modality_, metric_)
  )
  WHERE same_size AND method_a = method_ AND method_b <> method_
  GROUP BY setting, source, model, dataset, size, billions, technique_a, a
)
WHERE rivals > 0
ORDER BY billions, size, setting, a;

CREATE OR REPLACE TEMP MACRO pairwise(axis_, modality_, metric_, a_, which_, b_) AS TABLE
SELECT format('{} {}, {} {}', a_, size, b_, other_size) AS "case",
       CASE WHEN NOT open(verdict) THEN verdict = CASE which_ WHEN 'lower' THEN 'higher' ELSE 'lower' END END AS supports,
       format('{} {:.5g}; {} {:.5g}', technique_a, value_a, technique_b, value_b) || noted(verdict) AS shown,
       setting, source, model, dataset, size, billions, active_b, other_size, other_billions, other_active_b,
       same_size, technique_a AS technique, CASE verdict WHEN 'equal' THEN [technique_b] END AS tied_with
FROM compared(axis_, modality_, metric_)
WHERE method_a = a_ AND method_b = b_
UNION ALL BY NAME
SELECT format('{} {}, {} {}', a_, u.size, b_, o.size) AS "case", u.*,
       o.size AS other_size, o.size_b AS other_billions, o.active_b AS other_active_b, u.size = o.size AS same_size
FROM unmeasured(axis_, modality_, metric_, a_) u
JOIN subjects o ON o.axis = axis_ AND o.setting = u.setting AND o.method = b_
ORDER BY billions, size, other_billions, other_size, setting, technique;

CREATE OR REPLACE TEMP MACRO than(axis_, modality_, metric_, a_, which_, b_) AS TABLE
SELECT size AS "case", * EXCLUDE ("case") FROM pairwise(axis_, modality_, metric_, a_, which_, b_) WHERE same_size;

CREATE OR REPLACE TEMP MACRO against(axis_, modality_, metric_, a_, b_) AS TABLE
SELECT size, billions, active_b, other_size, other_billions, other_active_b, same_size,
       1 / c.ratio AS ratio, 1 / c.ratio_high AS ratio_low, 1 / c.ratio_low AS ratio_high,
       100 / c.ratio - 100 AS percent, 100 / c.ratio_high - 100 AS percent_low, 100 / c.ratio_low - 100 AS percent_high,
       -c.difference AS difference, -high AS difference_low, -low AS difference_high,
       format('{} {:.5g}; {} {:.5g}', technique_a, value_a, technique_b, value_b) AS shown,
       setting, source, model, dataset, technique_a AS technique
FROM compared(axis_, modality_, metric_) c
WHERE method_a = a_ AND method_b = b_
ORDER BY billions, size, other_billions, other_size, setting, a, b;
