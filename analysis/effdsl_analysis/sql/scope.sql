-- How much of what is asked is in the store? Parameters: $study, $scale (NULL: any).
-- models: that exist, to which something was done.
-- results: in the store; missing: tasks of the study that have none yet; studies, scales: all there are to ask about;
-- file: the study's, as it was when it was last executed; files: that of each of the studies, in their order.

SELECT
  (SELECT count(*) FROM chosen($study, $scale)) AS results,
  (SELECT count(DISTINCT comparison.setting ->> 'base') FROM chosen($study, $scale)) AS models,
  (SELECT count(*) FROM study_tasks
   WHERE study = $study AND ($scale IS NULL OR scale = $scale) AND key NOT IN (SELECT key FROM results)) AS missing,
  (SELECT coalesce(list(DISTINCT study ORDER BY study), []) FROM study_tasks) AS studies,
  (SELECT any_value(file) FROM study_tasks WHERE study = $study) AS file,
  (SELECT coalesce(list(file ORDER BY study), []) FROM (SELECT study, any_value(file) AS file FROM study_tasks GROUP BY study)) AS files,
  (SELECT coalesce(list(DISTINCT scale ORDER BY scale), []) FROM results) AS scales;
