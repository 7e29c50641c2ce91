-- The answer to each decision.
--
-- verdict     chosen, tied (several; `undecided` when for want of repeats, `unsure` names those of which the repeats do not
--             tell whether they are within the tolerance), nothing satisfies, or no evidence (fewer than two candidates have
--             a value of every metric asked for)
-- chosen      cells, the best first
-- binding     the conditions without which something else would be chosen, each with that; `together` when only all of
--             them at once make a difference
-- pessimistic    what is chosen of those that satisfy every condition certainly, where that is something else
-- optimistic     what would be chosen if all that possibly satisfies did, where that is something else
-- leader      the best by the first criterion of all that satisfy, whatever the second says
-- runner_up   the next one, by its mean within the tolerance where there is one: of those that are near enough by the second
--             criterion, else by the first
-- nearest     where nothing satisfies: what breaks its conditions by the least share of their bounds, and by how much

WITH
asked AS (FROM outcomes WHERE kind = 'asked'),
described AS (
  SELECT decision, any_value(place) AS place, any_value(stage) AS stage, any_value(axis) AS axis, any_value(source) AS source,
         any_value(size) AS size, any_value(modality) AS modality, any_value(hardware) AS hardware, any_value(scope) AS energy_scope,
         count(*) FILTER (lacking = []) AS comparable
  FROM candidates GROUP BY decision
),
others AS (
  SELECT o.decision, o.kind, o.number, o.chosen FROM outcomes o JOIN asked a USING (decision)
  WHERE o.kind <> 'edge' AND list_sort(o.chosen) <> list_sort(a.chosen)
),
binding AS (
  SELECT decision, list({number: number, chosen: chosen} ORDER BY number) AS binding
  FROM others WHERE kind = 'without' GROUP BY decision
),
remaining AS (
  SELECT a.decision, l.cell, l.tolerance, list_contains(a.chosen, l.cell) AS chosen, p.cell IS NOT NULL AS in_pool,
         k.sign * f.value AS cost, min(cost) OVER (PARTITION BY a.decision) AS least, t.sign * g.value AS then_cost
  FROM asked a JOIN allowed l USING ("case") LEFT JOIN pool p ON p.run."case" = a."case" AND p.run.reach = 'possibly' AND p.cell = l.cell
  JOIN criteria k ON k.role = 'best' JOIN figures f ON f.cell = l.cell AND f.metric = k.metric
  LEFT JOIN criteria t ON t.role = 'then' LEFT JOIN figures g ON g.cell = l.cell AND g.metric = t.metric
),
next AS (
  SELECT decision, first(cell ORDER BY cost, cell) AS leader,
         first(cell ORDER BY in_pool DESC, CASE WHEN in_pool THEN then_cost END, cost, cell)
           FILTER (NOT chosen AND (tolerance IS NULL OR cost = least OR digits12((cost - least) / nullif(abs(least), 0)) <= tolerance))
           AS runner_up
  FROM remaining GROUP BY decision
),
broken AS (
  SELECT decision, cell, max(abs(position - edge) / coalesce(nullif(abs(edge), 0), 1)) AS excess
  FROM met WHERE NOT within GROUP BY decision, cell
),
nearest AS (SELECT decision, first({cell: cell, excess: excess} ORDER BY excess, cell) AS nearest FROM broken GROUP BY decision)
SELECT d.*, a.undecided, a.unsure, a.chosen,
       CASE WHEN comparable < 2 THEN 'no evidence' WHEN a.chosen = [] THEN 'nothing satisfies'
            WHEN len(a.chosen) = 1 THEN 'chosen' ELSE 'tied' END AS verdict,
       coalesce(b.binding, []) AS binding,
       CASE WHEN b.binding IS NULL THEN f.chosen END AS together,
       c.chosen AS pessimistic, h.chosen AS optimistic, n.leader, n.runner_up,
       CASE WHEN a.chosen = [] THEN nearest END AS nearest
FROM described d JOIN asked a USING (decision)
LEFT JOIN binding b USING (decision) LEFT JOIN next n USING (decision) LEFT JOIN nearest USING (decision)
LEFT JOIN (FROM others WHERE kind = 'free') f USING (decision)
LEFT JOIN (FROM others WHERE kind = 'pessimistic') c USING (decision)
LEFT JOIN (FROM others WHERE kind = 'optimistic') h USING (decision)
ORDER BY decision;
