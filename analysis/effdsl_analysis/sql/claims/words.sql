-- The words in which claims are written, over the tables subjects, figures and contrasts.
--
-- A claim returns cases: ("case" VARCHAR, supports BOOLEAN, shown VARCHAR). A case is one place where the statement
-- can be tested, a scale or a model say; `supports` is NULL where the evidence cannot decide it (a rival is missing,
-- an interval holds zero); `shown` is what was compared.
--
-- compared(axis_, modality_, metric_)   contrasts with the conditions a claim names
-- extreme(axis_, modality_, metric_, method_, which_)   is method_ the 'lowest' or 'highest' of its rivals? A case per size.
-- than(axis_, modality_, metric_, a_, which_, b_)       is a_ 'lower' or 'higher' than b_? A case per size.

CREATE OR REPLACE TEMP MACRO compared(axis_, modality_, metric_) AS TABLE
SELECT c.*, s.modality, s.dataset, s.size_b
FROM contrasts c JOIN subjects s ON s.cell = c.a
WHERE c.axis = axis_ AND modality = modality_ AND metric = metric_;

CREATE OR REPLACE TEMP MACRO extreme(axis_, modality_, metric_, method_, which_) AS TABLE
SELECT size_a AS "case",
       CASE WHEN bool_or(verdict = CASE which_ WHEN 'lowest' THEN 'lower' ELSE 'higher' END) THEN false
            WHEN bool_or(verdict IN ('tied', 'undecided')) THEN NULL
            ELSE true END AS supports,
       format('{} {:.5g}; {}', method_a, any_value(value_a),
              string_agg(format('{} {:.5g}', technique_b, value_b), ', ' ORDER BY value_b)) AS shown
FROM compared(axis_, modality_, metric_)
WHERE same_size AND method_a = method_ AND method_b <> method_
GROUP BY setting, a, size_a, size_b, method_a
ORDER BY any_value(size_b), setting, a;

CREATE OR REPLACE TEMP MACRO than(axis_, modality_, metric_, a_, which_, b_) AS TABLE
SELECT size_a AS "case",
       CASE WHEN verdict IN ('tied', 'undecided') THEN NULL
            ELSE verdict = CASE which_ WHEN 'lower' THEN 'higher' ELSE 'lower' END END AS supports,
       format('{} {:.5g}; {} {:.5g}', method_a, value_a, technique_b, value_b) AS shown
FROM compared(axis_, modality_, metric_)
WHERE same_size AND method_a = a_ AND method_b = b_
ORDER BY size_b, setting, a, b;
