-- How does each value compare with those of the other techniques at the same scale? Adds to `entries`:
--   rank_here    1 + the techniques that are better at this scale
--   normalised   eq. 10 (lower is better) or eq. 11 (higher is better): 0.1 is the worst value of the group at this scale,
--                1.0 the best. NULL where all are equal: the equation divides by zero.

CREATE OR REPLACE TEMP TABLE compared AS
SELECT *,
       rank() OVER (PARTITION BY "group", scale, metric ORDER BY CASE better WHEN 'lower' THEN value ELSE -value END) AS rank_here,
       0.1 + 0.9
         * CASE better WHEN 'lower' THEN max(value) OVER here - value ELSE value - min(value) OVER here END
         / nullif(max(value) OVER here - min(value) OVER here, 0) AS normalised
FROM entries
WINDOW here AS (PARTITION BY "group", scale, metric);
