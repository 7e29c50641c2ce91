-- What is wanted, as a table. Parameters: $best, $best_sign, $then, $then_sign (NULL: nothing), $within (NULL: ties only).
-- A sign is 1 where lower is better and -1 where higher is.
--
-- criteria   role ('best', 'then'), metric, sign, tolerance: how far from the best a candidate may be, as a share of it

CREATE OR REPLACE TEMP TABLE criteria AS
FROM (VALUES ('best', $best::VARCHAR, $best_sign::INTEGER, digits12($within::DOUBLE)),
             ('then', $then, $then_sign, NULL)) AS c (role, metric, sign, tolerance)
WHERE metric IS NOT NULL;
