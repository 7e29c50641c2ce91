-- Why has no `ok` result a value of these metrics? Parameters: $study, $scale (NULL: any), $metrics (names).
-- One row per metric of their stages that none of them has, with the commonest reason.

SELECT metric, coalesce(mode(map_extract_value(missing, metric)), 'not measured') AS reason
FROM chosen($study, $scale), (SELECT name AS metric, stages, is_quality FROM metrics WHERE list_contains($metrics::VARCHAR[], name))
WHERE outcome = 'ok' AND applies(comparison.stage, stages, is_quality, false)
  AND metric NOT IN (SELECT metric FROM measurements JOIN chosen($study, $scale) USING (key))
GROUP BY metric
ORDER BY list_position($metrics::VARCHAR[], metric);
