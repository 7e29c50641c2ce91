-- Which results are compared item by item? Parameters: $study (NULL: everything), $reference (a precision's name or label;
-- NULL: the usual one where it is there, else that of the most bits), $evaluations (empty: all).
--
-- Makes quality_pairs: one row per evaluation, cell and checkpoint, with the result x of the reference beside the result y
-- of the cell: of the same weights, setting, hardware and engine. Repeats go together by their seeds; where all have the
-- same weights they say the same, so that one of them, the first of both, is enough.

CREATE OR REPLACE TEMP TABLE quality_pairs AS
WITH
runs AS MATERIALIZED (
  SELECT key, cell, seed, comparison, identity, identity.choices -> '$.precision' AS format,
         (identity.details ->> 'bits')::INTEGER AS bits, (identity.details ->> 'checkpoints') = 'one per repeat' AS own_weights
  FROM chosen($study, NULL)
  WHERE outcome = 'ok' AND json_exists(identity.choices, '$.precision') AND key IN (SELECT key FROM items)
),
cells AS (
  SELECT comparison, identity.engine AS engine, identity.engine_version AS engine_version, cell,
         any_value(format) AS format, any_value(bits) AS bits
  FROM runs GROUP BY ALL
),
reference AS (
  SELECT comparison, engine, engine_version, cell FROM cells
  WHERE $reference IS NULL OR lower($reference) IN (lower(format ->> 'technique'), lower(format ->> 'label'))
  QUALIFY row_number() OVER (
    PARTITION BY comparison, engine, engine_version
    ORDER BY (format ->> 'usual')::BOOLEAN DESC, bits DESC, format ->> 'label', cell) = 1
),
beside AS (
  SELECT x.comparison, x.cell AS reference, y.cell, x.key AS x, y.key AS y, x.seed,
         x.own_weights AND y.own_weights AS own_weights
  FROM reference r JOIN runs x ON x.cell = r.cell AND x.comparison = r.comparison
  JOIN runs y ON y.comparison = x.comparison AND y.seed = x.seed AND y.cell <> x.cell
    AND y.identity.engine = x.identity.engine AND y.identity.engine_version IS NOT DISTINCT FROM x.identity.engine_version
),
chosen_pairs AS (
  FROM beside QUALIFY own_weights OR row_number() OVER (PARTITION BY comparison, cell ORDER BY seed) = 1
),
evaluations AS (
  SELECT DISTINCT key, evaluation FROM items
  WHERE len($evaluations::VARCHAR[]) = 0 OR list_contains($evaluations::VARCHAR[], evaluation)
)
SELECT p.*, e.evaluation
FROM chosen_pairs p JOIN evaluations e ON e.key = p.x JOIN evaluations f ON f.key = p.y AND f.evaluation = e.evaluation;
