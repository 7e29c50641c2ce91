-- Which compression rates do not follow from the bytes of the weights? Eq. 9 is of sizes; by the bits that a format is called by it
-- leaves out scales, zero points and what stays wide, which may be most of a small model. Against the reference and the scores of
-- the view `compression`, whichever comes nearest, but for rounding (one part in a thousand). A finding per result.
WITH nearest AS (
  SELECT t.key, t.short_key, t.seen, t.mcr AS said, c.mcr, c.nominal_mcr, c.score_of, c.reference
  FROM taken t JOIN compression c USING (key) WHERE t.mcr IS NOT NULL AND c.mcr IS NOT NULL
  QUALIFY row_number() OVER (PARTITION BY t.key ORDER BY least(abs(t.mcr / c.mcr - 1), abs(t.mcr / c.nominal_mcr - 1)), score_of) = 1
)
SELECT CASE WHEN abs(said / nominal_mcr - 1) <= 1e-3 THEN 'warning' ELSE 'error' END AS severity, short_key AS "table",
       cells_of(seen, ['mcr', 'weight_bytes']) AS cells,
       CASE WHEN abs(said / nominal_mcr - 1) <= 1e-3
            THEN format('MCR is {:.5g}, of nominal bits; by bytes against {} and {} it is {:.5g}.', said, reference, score_of, mcr)
            ELSE format('MCR is {:.5g}; against {} and {} it is {:.5g} by bytes, {:.5g} by nominal bits.', said, reference, score_of,
                        mcr, nominal_mcr) END AS explanation
FROM nearest WHERE abs(said / mcr - 1) > 1e-3
ORDER BY key;
