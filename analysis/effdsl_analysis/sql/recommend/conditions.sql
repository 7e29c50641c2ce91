-- What must be satisfied, as a table. Parameters, lists of one length: $metrics, $signs, $strict, $bounds.
--
-- conditions   number, metric, sign (1: at most the bound, -1: at least), strict (the bound itself is out), bound

CREATE OR REPLACE TEMP TABLE conditions AS
SELECT unnest(range(1, len($metrics::VARCHAR[]) + 1)) AS number, unnest($metrics::VARCHAR[]) AS metric,
       unnest($signs::INTEGER[]) AS sign, unnest($strict::BOOLEAN[]) AS strict,
       digits12(unnest($bounds::DOUBLE[])) AS bound;
