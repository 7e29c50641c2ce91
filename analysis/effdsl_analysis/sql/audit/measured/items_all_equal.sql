-- Which precisions gave the very same on every item? Losses of weights that are rounded differ in their last digits at least: where all
-- are the same, the same weights were evaluated twice, whatever their formats are called (lighteval#973 was such a mistake).
-- Right answers may well be the same, of a hundred or more that is a note. Of results of the same weights and seed. A finding
-- per pair and evaluation.
WITH
stored AS (
  SELECT key, short_key, seen, technique, seed, details ->> 'bits' AS bits, choices -> '$.precision' ->> 'label' AS format,
         row(base, scale, hardware, engine) AS compared
  FROM taken WHERE json_exists(choices, '$.precision')
),
said AS (
  SELECT i.key, i.evaluation, count(*) AS n, NOT bool_and(i.weight = 1) AS is_loss,
         sha256(list((i.item, i.value, i.weight) ORDER BY i.item)::VARCHAR) AS items
  FROM items i SEMI JOIN stored USING (key) GROUP BY i.key, i.evaluation
)
SELECT CASE WHEN x.is_loss THEN 'error' ELSE 'note' END AS severity, a.short_key AS "table",
       cells_of(a.seen, ['held_out_loss', 'weight_bytes']) || cells_of(b.seen, ['held_out_loss', 'weight_bytes']) AS cells,
       format('{} ({}) and {} ({}) gave the same on all {} items of {}{}.', a.technique, a.short_key, b.technique, b.short_key, x.n,
              x.evaluation, CASE WHEN x.is_loss THEN ', which rounding cannot: were the same weights evaluated twice?'
                                 ELSE '; look at what was answered' END) AS explanation
FROM stored a JOIN stored b ON b.compared = a.compared AND b.seed = a.seed AND b.format <> a.format AND a.key < b.key
JOIN said x ON x.key = a.key JOIN said y ON y.key = b.key AND y.evaluation = x.evaluation AND y.items = x.items
WHERE x.is_loss OR x.n >= 100 AND a.bits <> b.bits
ORDER BY a.key, b.key, x.evaluation;
