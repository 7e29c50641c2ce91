-- Depth-width ratios within 20% of the optimum give the same loss (no table).
-- Ratio: width over depth. Optimum: the shape with the lowest held-out loss of its size. Same: not told apart.
WITH
shapes AS (SELECT *, hidden_size / layers AS ratio FROM figures WHERE axis = 'aspect' AND metric = 'held_out_loss'),
optimum AS (FROM shapes QUALIFY row_number() OVER (PARTITION BY setting, size ORDER BY value, cell) = 1),
others AS (
  SELECT o.setting, o.source, o.size, o.size_b, o.technique AS best, o.value AS best_value, s.technique, s.value, verdict,
         s.ratio / o.ratio - 1 AS off, digits12(abs(s.ratio / o.ratio - 1)) <= 0.2 AS near
  FROM optimum o JOIN shapes s ON s.setting = o.setting AND s.size = o.size AND s.cell <> o.cell
  JOIN contrasts c ON c.metric = s.metric AND c.a = o.cell AND c.b = s.cell
)
SELECT format('{}, {}', size, technique) AS "case",
       CASE WHEN verdict <> 'undecided' THEN verdict IN ('equal', 'tied') END AS supports,
       format('{} {:.5g}; {} {:.5g} ({:+.0f}% off the optimal ratio, {})', best, best_value, technique, value, 100 * off,
              verdict) AS shown,
       source, size_b
FROM others WHERE near
UNION ALL BY NAME
SELECT size AS "case", NULL AS supports,
       format('missing: a shape within 20% of {}; there are {}', best,
              string_agg(format('{} ({:+.0f}%)', technique, 100 * off), ', ' ORDER BY off)) AS shown,
       source, size_b
FROM others GROUP BY setting, source, size, size_b, best HAVING NOT bool_or(near)
UNION ALL BY NAME
SELECT 'shapes' AS "case", NULL AS supports, 'missing: the loss of models of one size and several shapes' AS shown
WHERE NOT EXISTS (FROM others) AND EXISTS (FROM figures)
ORDER BY size_b;
