-- The metrics that an evaluation gives.
SELECT metric FROM evaluations();
