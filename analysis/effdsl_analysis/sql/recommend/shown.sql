-- The candidates of each decision, the best first, with what is known of them: a row each.
--
-- state    choice, tied, satisfies, ruled out, or no value
-- values   per metric asked for: metric, value, low, high, n, printed
-- meets    per condition, in their order: as in met.sql
-- gaps     per criterion, against the (first) choice: metric, difference with its interval, both also as shares
--          of the choice's value, and the verdict

WITH
asked AS (
  SELECT metric, min(place) AS place
  FROM (SELECT metric, CASE role WHEN 'best' THEN 0 ELSE 1000 END AS place FROM criteria
        UNION ALL SELECT metric, number FROM conditions)
  GROUP BY metric
),
known AS (
  SELECT f.cell, list({metric: f.metric, value: f.value, low: f.low, high: f.high, n: f.n, printed: f.printed} ORDER BY place)
           AS "values"
  FROM figures f JOIN asked USING (metric) GROUP BY f.cell
),
tested AS (SELECT cell, list(meets ORDER BY number) AS meets, bool_and(within) AS within FROM met GROUP BY cell),
placed AS (
  SELECT c.decision, c.cell, c.technique, c.layers, c.hidden_size, c.micro_batch_size, c.lacking,
         c.parameters::BIGINT AS parameters, c.examples,
         CASE WHEN c.lacking <> [] THEN 'no value'
              WHEN NOT coalesce(t.within, true) THEN 'ruled out'
              WHEN NOT list_contains(o.chosen, c.cell) THEN 'satisfies'
              WHEN len(o.chosen) > 1 THEN 'tied' ELSE 'choice' END AS state,
         coalesce(t.meets, []) AS meets, o.chosen[1] AS choice
  FROM candidates c JOIN outcomes o ON o.decision = c.decision AND o.kind = 'asked' LEFT JOIN tested t USING (cell)
),
compared AS (
  SELECT p.cell, list({metric: g.metric, difference: g.difference, low: g.low, high: g.high, verdict: g.verdict,
                       share: digits12(g.difference / nullif(abs(g.value_a), 0)), share_low: g.low / nullif(abs(g.value_a), 0),
                       share_high: g.high / nullif(abs(g.value_a), 0)} ORDER BY g.metric) AS gaps
  FROM placed p JOIN contrasts g ON g.a = p.choice AND g.b = p.cell
  WHERE p.lacking = [] AND g.metric IN (SELECT metric FROM criteria)
  GROUP BY p.cell
)
SELECT p.* EXCLUDE (choice), coalesce(k."values", []) AS "values", coalesce(c.gaps, []) AS gaps
FROM placed p LEFT JOIN known k USING (cell) LEFT JOIN compared c USING (cell) JOIN criteria b ON b.role = 'best'
LEFT JOIN figures f ON f.cell = p.cell AND f.metric = b.metric
ORDER BY p.decision, list_position(['choice', 'tied', 'satisfies', 'ruled out', 'no value'], p.state), b.sign * f.value, p.cell;
