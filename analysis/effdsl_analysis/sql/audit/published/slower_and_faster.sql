-- Which precisions are faster and slower at once? A higher IT and a higher Sum AL than bfloat16, or a lower IT and a lower
-- Sum AL, for the same model: the two columns order them against each other. A finding per row.
SELECT 'warning' AS severity, q."table",
       cells_of(q.cell, ['it_tokens_per_s', 'sum_al_s']) || cells_of(b.cell, ['it_tokens_per_s', 'sum_al_s']) AS cells,
       format('{} generates {:.3g} times the tokens per second of bfloat16, yet takes {:.3g} times as long ({}).', q.technique,
              q.it_tokens_per_s / b.it_tokens_per_s, q.sum_al_s / b.sum_al_s, q.model) AS explanation
FROM printed_rows q JOIN printed_rows b ON b.table_number = q.table_number AND b.model = q.model AND b.method = 'bfloat16'
WHERE q.method <> 'bfloat16' AND (q.it_tokens_per_s > b.it_tokens_per_s) = (q.sum_al_s > b.sum_al_s)
  AND q.it_tokens_per_s <> b.it_tokens_per_s AND q.sum_al_s <> b.sum_al_s
ORDER BY q.table_number, q.line;
