-- Which metrics that are ranked unasked have a value in what is asked? Parameters: $study, $scale (NULL: any).
-- Those of the default table, and those that the paper ranks.

SELECT DISTINCT metric
FROM measurements JOIN chosen($study, $scale) USING (key) JOIN metrics ON name = metric
WHERE (on_default_table OR name IN (SELECT name FROM paper_metrics())) AND applies(comparison.stage, stages, is_quality, true);
