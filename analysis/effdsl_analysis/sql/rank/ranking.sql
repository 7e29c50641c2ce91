-- Which technique is best at what, and how sure is that?
--
-- Parameters: $study, $scale (NULL: any), $metrics (names, in the order wanted), $exact (those of them that are computed
-- rather than measured), $across_models.
-- One row per metric, comparison group and cell. A cell's rank is 1 + the number of cells that are certainly better (see
-- differences.sql), so cells that cannot be told apart from the best share rank 1; it lies between rank_lo and rank_hi
-- (rank_hi: not counting the cells that are certainly worse). Only `ok` repeats with a finite value are ranked. A cell
-- without one is listed, unranked, with its outcome or the reason why the value is missing.
-- tied_with and undecided_with hold the `number`s of other rows of the block.

WITH
asked AS (
  SELECT name AS metric, list_position($metrics::VARCHAR[], name) AS place,
         list_contains($exact::VARCHAR[], name) AS exact,
         CASE better WHEN 'higher' THEN -1 ELSE 1 END AS sign,
         name IN (SELECT metric FROM energy_metrics()) AS is_energy, stages, is_quality
  FROM metrics WHERE list_contains($metrics::VARCHAR[], name)
),
-- Small numbers stand for cells below: pairs of them are many, and keys are long.
runs AS MATERIALIZED (
  SELECT *, dense_rank() OVER (ORDER BY cell)::INTEGER AS number FROM chosen($study, $scale, across_models := $across_models)
),
measured AS (
  SELECT metric, comparison, CASE WHEN is_energy THEN energy_scope END AS energy_scope, r.number, r.key, r.seed,
         place, exact, sign, digits12(m.value) AS value
  FROM runs r JOIN measurements m USING (key) JOIN asked USING (metric)
  WHERE (r.key, metric) NOT IN (FROM repeated_evaluations())
),
blocks AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY place, smallest, comparison, energy_scope) AS block,
         metric, place, comparison, energy_scope
  FROM (SELECT metric, place, comparison, smallest, energy_scope,
               applies(comparison.stage, stages, is_quality, is_measured IS NOT NULL) AS belongs
        FROM (SELECT metric, place, stages, is_quality, comparison, min(parameters) AS smallest
              FROM runs, asked GROUP BY ALL)
        LEFT JOIN (SELECT DISTINCT metric, comparison, energy_scope, true AS is_measured FROM measured)
          USING (metric, comparison)
        -- A metric of no stage that is there is shown all the same, without values.
        QUALIFY belongs OR NOT bool_or(belongs) OVER (PARTITION BY metric))
),
observations AS MATERIALIZED (
  SELECT block, number AS cell, key, b.metric, seed, exact, sign * value AS value, value AS shown
  FROM measured m JOIN blocks b
    ON b.metric = m.metric AND b.comparison = m.comparison AND b.energy_scope IS NOT DISTINCT FROM m.energy_scope
),
summary AS MATERIALIZED (
  SELECT block, cell, count(*) AS n, digits12(avg(shown ORDER BY shown)) AS mean,
         CASE WHEN count(*) > 1 THEN digits12(stddev_samp(shown ORDER BY shown)) WHEN bool_and(exact) THEN 0 END AS sd,
         CASE WHEN sd = 0 THEN 0 ELSE t_quantile(n - 1) * sd / sqrt(n) END AS half_width
  FROM observations GROUP BY block, cell
),
pairs AS MATERIALIZED (
  SELECT block, x.cell AS a, y.cell AS b FROM summary x JOIN summary y USING (block) WHERE x.cell < y.cell
),
judged AS MATERIALIZED (SELECT block, a, b, verdict FROM differences_by_items('observations', 'pairs')),
verdicts AS (
  SELECT block, cell,
         count(*) FILTER (verdict = 'better') AS above,
         count(*) FILTER (verdict = 'worse') AS below,
         list(other) FILTER (verdict IN ('tied', 'equal')) AS tied_with,
         list(other) FILTER (verdict = 'undecided') AS undecided_with
  FROM (
    SELECT block, a AS cell, b AS other, verdict FROM judged
    UNION ALL
    SELECT block, b, a, CASE verdict WHEN 'better' THEN 'worse' WHEN 'worse' THEN 'better' ELSE verdict END FROM judged
  )
  GROUP BY block, cell
),
ranked AS (
  SELECT s.*, 1 + coalesce(above, 0) AS rank, rank AS rank_lo,
         count(*) OVER (PARTITION BY block) - coalesce(below, 0) AS rank_hi,
         coalesce(tied_with, []) AS tied_with, coalesce(undecided_with, []) AS undecided_with
  FROM summary s LEFT JOIN verdicts USING (block, cell)
),
cells_of AS (
  SELECT block, number, any_value(cell) AS cell, any_value(identity) AS identity, any_value(examples) AS examples,
         count(*) AS repeats, count(*) FILTER (outcome = 'ok') AS ok,
         list(DISTINCT outcome ORDER BY outcome) FILTER (outcome <> 'ok') AS outcomes,
         min(reason) FILTER (outcome <> 'ok' AND reason <> '') AS failure,
         min(map_extract_value(missing, metric)) FILTER (outcome = 'ok') AS missing,
         coalesce(max(kernel) FILTER (outcome = 'ok'), '') AS kernel,
         list(DISTINCT threads ORDER BY threads) FILTER (outcome = 'ok' AND threads IS NOT NULL) AS threads
  FROM blocks JOIN runs USING (comparison) GROUP BY block, number
)
SELECT b.block, b.metric, b.comparison, b.energy_scope, c.number, c.cell, identity, examples, repeats, ok, coalesce(n, 0) AS n,
       mean, sd, mean - half_width AS low, mean + half_width AS high, rank, rank_lo, rank_hi,
       coalesce(tied_with, []) AS tied_with, coalesce(undecided_with, []) AS undecided_with,
       coalesce(outcomes, []) AS outcomes, c.kernel, coalesce(threads, []) AS threads,
       CASE WHEN n IS NULL THEN coalesce(missing, failure, '') ELSE coalesce(failure, '') END AS reason
FROM blocks b JOIN cells_of c ON c.block = b.block LEFT JOIN ranked r ON r.block = b.block AND r.cell = c.number
-- A cell whose values were read at another meter scope belongs to that scope's block alone.
WHERE n IS NOT NULL OR (b.metric, b.comparison, c.number) NOT IN (SELECT (metric, comparison, number) FROM measured)
ORDER BY b.block, rank NULLS LAST, identity.technique, c.cell;
