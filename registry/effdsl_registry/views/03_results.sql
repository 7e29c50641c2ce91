CREATE OR REPLACE VIEW results AS
SELECT * FROM attempts WHERE attempt IN (SELECT attempt FROM internal.latest);

COMMENT ON VIEW results IS 'one row per task: its latest attempt, with what was asked, what was measured and where';
