-- Which cells are worth choosing from, given several objectives at once?
--
-- Parameters: $study, $scale (NULL: any), $objectives (metric names), $signs (1: lower is better, -1: higher is better),
-- $exact (objectives that are computed rather than measured), $across_models.
-- One row per comparison group and cell, judged by the means over its `ok` repeats:
--   place          front, dominated, or not comparable (an objective is missing: see reason)
--   certain        front: no cell of the group could dominate it; dominated: some cell certainly does. "Could" and
--                  "certainly" follow the 95% intervals of differences.sql, objective by objective
--   dominated_by   cells of the front that dominate it, by the means
--   certainly_by   of a dominated cell: the cells that certainly dominate it, on the front or not
--   rivals         of a cell on the front: the cells that could dominate it as far as the repeats tell

WITH
objective AS (
  SELECT i, metric, sign, stages, is_quality
  FROM (SELECT unnest(range(1, len($objectives::VARCHAR[]) + 1)) AS i, unnest($objectives::VARCHAR[]) AS metric,
               unnest($signs::INTEGER[]) AS sign)
  JOIN metrics ON name = metric
),
uses_energy AS (SELECT count(*) > 0 AS answer FROM objective JOIN energy_metrics() USING (metric)),
runs AS MATERIALIZED (
  SELECT * EXCLUDE (energy_scope), CASE WHEN (SELECT answer FROM uses_energy) THEN energy_scope END AS energy_scope
  FROM chosen($study, $scale, across_models := $across_models)
),
measured AS MATERIALIZED (
  SELECT comparison, energy_scope, r.cell, r.key, metric, r.seed, i, list_contains($exact::VARCHAR[], metric) AS exact, sign,
         digits12(m.value) AS value
  FROM runs r JOIN measurements m USING (key) JOIN objective USING (metric)
  WHERE (r.key, metric) NOT IN (FROM repeated_evaluations())
),
means AS (
  SELECT comparison, energy_scope, cell, i, digits12(avg(value ORDER BY value)) AS mean, count(*) AS n
  FROM measured GROUP BY ALL
),
complete AS (
  SELECT comparison, energy_scope, cell, list(mean ORDER BY i) AS "values", min(n) AS n
  FROM means GROUP BY ALL HAVING count(*) = len($objectives::VARCHAR[])
),
groups AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY smallest, comparison, energy_scope) AS grp, comparison, energy_scope
  FROM (SELECT comparison, min(parameters) AS smallest FROM runs GROUP BY ALL)
  LEFT JOIN (SELECT DISTINCT comparison, energy_scope, true AS is_measured FROM complete) USING (comparison)
  -- Results of a stage whose metrics these are not are left out, unless there are no others.
  QUALIFY (SELECT bool_and(applies(comparison.stage, stages, is_quality, is_measured IS NOT NULL)) FROM objective)
          OR NOT bool_or((SELECT bool_and(applies(comparison.stage, stages, is_quality, is_measured IS NOT NULL)) FROM objective))
                 OVER ()
),
compared AS MATERIALIZED (
  SELECT grp, cell, "values", n,
         padded(list_transform("values", lambda v, k: ($signs::INTEGER[])[k] * v)) AS x
  FROM complete c JOIN groups g
    ON g.comparison = c.comparison AND g.energy_scope IS NOT DISTINCT FROM c.energy_scope
),
points AS MATERIALIZED (
  SELECT cell AS point, grp, x[1] AS x1, x[2] AS x2, x[3] AS x3, x[4] AS x4, x[5] AS x5, x[6] AS x6 FROM compared
),
front AS MATERIALIZED (FROM pareto_front('points')),
beats AS MATERIALIZED (FROM dominance('points')),
doubts AS (
  FROM beats
  UNION
  SELECT f.grp, f.point AS a, p.point AS b FROM front f JOIN points p USING (grp) WHERE p.point <> f.point
),
observations AS MATERIALIZED (
  SELECT {'grp': grp, 'objective': i} AS block, cell, key, metric, seed, exact, sign * value AS value
  FROM measured m JOIN groups g
    ON g.comparison = m.comparison AND g.energy_scope IS NOT DISTINCT FROM m.energy_scope
),
pairs AS MATERIALIZED (SELECT {'grp': grp, 'objective': i} AS block, a, b FROM doubts, objective),
judged AS MATERIALIZED (
  SELECT block.grp AS grp, a, b,
         NOT bool_or(verdict = 'worse') AND NOT bool_and(verdict = 'equal') AS could,
         bool_and(verdict IN ('better', 'equal')) AND bool_or(verdict = 'better') AS certainly
  FROM differences_by_items('observations', 'pairs') GROUP BY block.grp, a, b
),
doubted AS (
  SELECT grp, a AS cell, bool_or(could) AS could, bool_or(certainly) AS certainly,
         list(b ORDER BY b) FILTER (could) AS rivals, list(b ORDER BY b) FILTER (certainly) AS certainly_by
  FROM judged GROUP BY grp, a
),
beaten AS (
  SELECT beats.grp, a AS cell, list(b ORDER BY b) AS dominated_by
  FROM beats JOIN front ON front.grp = beats.grp AND front.point = beats.b GROUP BY beats.grp, a
),
gaps AS (
  SELECT comparison, cell,
         list_filter($objectives::VARCHAR[], lambda o: NOT list_contains(coalesce(list(DISTINCT metric), []), o)) AS absent
  FROM runs LEFT JOIN (SELECT key, metric FROM measurements SEMI JOIN objective USING (metric)) USING (key)
  GROUP BY comparison, cell
),
cells_of AS (
  SELECT grp, comparison, cell, any_value(identity) AS identity, any_value(examples) AS examples,
         count(*) AS repeats, count(*) FILTER (outcome = 'ok') AS ok,
         list(DISTINCT outcome ORDER BY outcome) FILTER (outcome <> 'ok') AS outcomes,
         min(reason) FILTER (outcome <> 'ok' AND reason <> '') AS failure,
         any_value(missing) FILTER (outcome = 'ok') AS missing,
         coalesce(max(kernel) FILTER (outcome = 'ok'), '') AS kernel,
         list(DISTINCT threads ORDER BY threads) FILTER (outcome = 'ok' AND threads IS NOT NULL) AS threads
  FROM groups JOIN runs USING (comparison) GROUP BY ALL
)
SELECT c.grp, c.comparison, g.energy_scope, c.cell, identity, examples, repeats, ok, coalesce(n, 0) AS n, "values",
       CASE WHEN "values" IS NULL THEN 'not comparable' WHEN f.point IS NULL THEN 'dominated' ELSE 'front' END AS place,
       CASE WHEN "values" IS NULL THEN NULL
            WHEN f.point IS NULL THEN coalesce(certainly, false)
            ELSE NOT coalesce(could, false) END AS certain,
       coalesce(dominated_by, []) AS dominated_by,
       CASE WHEN f.point IS NULL THEN coalesce(certainly_by, []) ELSE [] END AS certainly_by,
       CASE WHEN f.point IS NULL THEN [] ELSE coalesce(rivals, []) END AS rivals,
       coalesce(outcomes, []) AS outcomes, c.kernel, coalesce(threads, []) AS threads,
       CASE WHEN "values" IS NULL THEN absent ELSE [] END AS absent,
       CASE WHEN "values" IS NULL THEN coalesce(map_extract_value(missing, absent[1]), failure, '')
            ELSE coalesce(failure, '') END AS reason
FROM cells_of c JOIN groups g ON g.grp = c.grp
JOIN gaps ON gaps.comparison = c.comparison AND gaps.cell = c.cell
LEFT JOIN compared p ON p.grp = c.grp AND p.cell = c.cell
LEFT JOIN front f ON f.grp = c.grp AND f.point = c.cell
LEFT JOIN doubted d ON d.grp = c.grp AND d.cell = c.cell
LEFT JOIN beaten b ON b.grp = c.grp AND b.cell = c.cell
-- A cell whose energy was read at another meter scope belongs to that scope's group alone.
WHERE "values" IS NOT NULL OR (c.comparison, c.cell) NOT IN (SELECT (comparison, cell) FROM complete)
ORDER BY c.grp, place = 'not comparable', place = 'dominated', identity.technique, c.cell;
