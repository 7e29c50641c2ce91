-- Do the printed table and the measured results order two techniques alike?
-- Makes compared_pairs: one row per metric, pair of methods (a, b), printed size and measured size: `printed` and `measured` say of b against a
-- 'lower', 'higher', 'equal', 'tied' or 'undecided'; `agrees` is NULL where the repeats do not decide, or both printed
-- values are the same. `printed_sign` and `measured_sign` are those of the differences of the means.

CREATE OR REPLACE TEMP TABLE compared_pairs AS
SELECT m.metric, m.setting, m.source, p.size_a AS printed_size, m.size_a AS measured_size,
       x.size_b AS printed_order, y.size_b AS measured_order,
       m.technique_a AS a, m.technique_b AS b, p.verdict AS printed, m.verdict AS measured,
       CASE WHEN m.verdict IN ('lower', 'higher') AND p.verdict IN ('lower', 'higher') THEN m.verdict = p.verdict END AS agrees,
       sign(p.difference)::INTEGER AS printed_sign, sign(m.difference)::INTEGER AS measured_sign
FROM printed_contrasts p JOIN contrasts m USING (axis, metric, method_a, method_b)
JOIN printed_figures x ON x.cell = p.a AND x.metric = p.metric
JOIN figures y ON y.cell = m.a AND y.metric = m.metric
WHERE p.same_size AND m.same_size AND method_a < method_b;
