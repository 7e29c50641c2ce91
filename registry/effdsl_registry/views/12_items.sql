CREATE OR REPLACE VIEW items AS
SELECT
    key, cell, technique, seed, evaluation,
    unnest(item) AS item, unnest(value) AS value, unnest(weight) AS weight
FROM internal.items JOIN internal.latest USING (attempt);

COMMENT ON VIEW items IS 'what was evaluated item by item: one row per task, evaluation and item, latest attempt; a score is sum(value) / sum(weight)';

CREATE OR REPLACE VIEW scores AS
WITH named AS (
    SELECT key, cell, technique, seed, unnest(map_entries(scores)) AS score FROM internal.latest
)
SELECT key, cell, technique, seed, score.key AS evaluation, score.value AS score FROM named;

COMMENT ON VIEW scores IS 'what evaluations say as a whole, groups of tasks by their own rule: one row per task and evaluation that was asked for, latest attempt';
