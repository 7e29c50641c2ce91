-- Which AL and AMU does no one layout of the GPUs explain? The fewer GPUs share a model, the longer a step takes and the
-- more memory each needs; AL bounds their number from below, AMU from above. Megatron-Core is tried with 1, 2 or 4 GPUs of
-- a node sharing each matrix, 1, 2 or 4 stages, layers computed again or not, copies on all other GPUs. A step is one
-- micro-batch of the printed size, 8,192 tokens a sequence, at 0.60 of the peak, faster than any published run, with nothing else.
-- Memory is that of weights, gradients, optimizer (divided among the copies, or not), activations and logits; AMU may lie
-- between a half of the least and a third above the most. A finding per table.
WITH tried AS (
  SELECT n.table_number, n."table", n.line, n.cell, n.amu_gb, n.al_s_per_iter, l.*,
         n.al_s_per_iter * (1 + n.off['al_s_per_iter']) >= l.least_s AS is_slow_enough,
         n.amu_gb BETWEEN l.least_gb / 2 AND l.most_gb * 4 / 3 AS holds
  FROM printed_rows n JOIN layouts l ON l.table_number = n.table_number AND l.line = n.line
),
unexplained AS (
  SELECT table_number, "table", line, any_value(cell) AS cell,
         any_value(amu_gb) / max(most_gb) FILTER (is_slow_enough) AS too_full,
         min(least_s) FILTER (holds) / any_value(al_s_per_iter) AS too_fast
  FROM tried GROUP BY table_number, "table", line HAVING NOT bool_or(is_slow_enough AND holds)
)
SELECT 'warning' AS severity, u."table",
       flatten(list(cells_of(u.cell, ['al_s_per_iter', 'amu_gb']) ORDER BY u.line)) AS cells,
       format('Of {} of {} lines no layout explains both: the layouts that are fast enough for AL hold at most {} of AMU on '
              'a GPU, and those that hold AMU take at least {:.2f} to {:.2f} times AL.',
              count(*), (SELECT count(DISTINCT line) FROM layouts l WHERE l.table_number = u.table_number),
              CASE WHEN min(too_full) IS NULL THEN 'nothing'
                   ELSE format('{:.2f} to {:.2f}', 1 / max(too_full), 1 / min(too_full)) END,
              min(too_fast), max(too_fast)) AS explanation
FROM unexplained u GROUP BY table_number, u."table" ORDER BY table_number;
