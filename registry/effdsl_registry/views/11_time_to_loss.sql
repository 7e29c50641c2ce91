-- How long does each training take to a loss that all reach? Of the ok results that may be compared, two cells or more: of one
-- stage that compares techniques, one scale, hardware, setting and dtype. Of a curve only finite held-out losses count.
--
--   loss       the lowest held-out loss that every one of them reaches: the greatest, over the results, of the lowest on a curve
--   steps      optimizer steps until the curve first is at that loss or below, on a straight line between its points
--   is_at_most whether the first point of the curve is there already, so that it took at most so long
--   seconds    the same at the mean time of an iteration after warm-up; evaluations take none of it
CREATE OR REPLACE VIEW time_to_loss AS
WITH points AS (
    SELECT
        r.key, r.cell, c.step, c.loss,
        row(r.stage, r.scale, r.hardware, r.hardware_count, r.setting, r.dtype, r.evidence) AS compared
    FROM loss_curves AS c JOIN results AS r USING (key)
    WHERE c.kind = 'held_out' AND isfinite(c.loss) AND r.outcome = 'ok' AND r.stage IN (SELECT stage FROM axes)
),
lowest AS (SELECT compared, cell, key, min(loss) AS loss FROM points GROUP BY ALL),
common AS (
    SELECT compared, max(loss) AS loss FROM lowest GROUP BY compared HAVING count(DISTINCT cell) > 1
),
along AS (
    SELECT
        p.key, p.step, p.loss, common.loss AS wanted,
        lag(p.step) OVER from_start AS step_before, lag(p.loss) OVER from_start AS loss_before
    FROM points AS p JOIN common USING (compared)
    WINDOW from_start AS (PARTITION BY p.key ORDER BY p.step)
),
reached AS (
    SELECT
        key, wanted, step_before IS NULL AS is_at_most,
        step - coalesce((step - step_before) * (wanted - loss) / (loss_before - loss), 0) AS until
    FROM along WHERE loss <= wanted QUALIFY row_number() OVER (PARTITION BY key ORDER BY step) = 1
)
SELECT
    r.key, r.cell, r.technique, r.scale, r.seed, t.wanted AS loss, t.until AS steps, t.is_at_most,
    t.until * r.al_s_per_iter AS seconds
FROM reached AS t JOIN results AS r USING (key);

COMMENT ON VIEW time_to_loss IS 'a training beside others that may be compared: the held-out loss that all of them reach, and the steps and seconds until its curve does';
