-- The latest attempt at each key. Attempt breaks the tie of two that finished in the same microsecond.
CREATE OR REPLACE VIEW results AS
SELECT *
FROM attempts
QUALIFY row_number() OVER (PARTITION BY key ORDER BY finished_at DESC, attempt DESC) = 1;

COMMENT ON VIEW results IS 'one row per task: its latest attempt, with what was asked, what was measured and where';
