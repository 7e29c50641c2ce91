-- What does each precision cost in quality? From quality_pairs (pairs.sql), one row per setting, evaluation and cell:
--   over              what the interval is over: 'checkpoints', where each repeat has weights of its own and there are two or
--                     more, and answers for other trainings as well; else 'items', and answers for that checkpoint alone
--   difference        mean over checkpoints of cell less reference
--   low, high         its 95% interval by Student's t; NULL where there is no spread to judge by
--   resolved          over checkpoints: the interval leaves out zero; over items as item_differences says
--   checkpoints       per checkpoint what item_differences says, by seed
--   unpaired          items that are not the same on both sides: nothing is compared then

WITH
judged AS MATERIALIZED (
  SELECT p.*, d.* EXCLUDE (evaluation, x, y)
  FROM quality_pairs p JOIN (FROM item_differences('quality_pairs')) d USING (evaluation, x, y)
),
summed AS (
  SELECT comparison, evaluation, reference, cell, bool_and(own_weights) AND count(*) > 1 AS over_checkpoints,
         count(*) AS n, sum(unpaired) AS unpaired, any_value(is_loss) AS is_loss, bool_and(right_or_wrong) AS right_or_wrong,
         CASE WHEN sum(unpaired) = 0 THEN digits12(avg(difference ORDER BY seed)) END AS difference,
         avg(score_x ORDER BY seed) AS score_reference, avg(score_y ORDER BY seed) AS score,
         CASE WHEN sum(unpaired) > 0 THEN NULL
              WHEN over_checkpoints THEN t_quantile(count(*) - 1) * nullif(digits12(stddev_samp(difference ORDER BY seed)), 0) / sqrt(count(*))
              ELSE any_value(nullif(half_width, 0)) END AS half_width,
         bool_or(resolved) AS one_resolved,
         list(struct_pack(seed := seed, items := items, difference := difference, error := error, half_width := half_width,
                          lost := lost, gained := gained, p := p, resolved := resolved, needed := needed) ORDER BY seed)
           AS checkpoints
  FROM judged GROUP BY comparison, evaluation, reference, cell
)
SELECT s.comparison, s.evaluation, s.reference, s.cell, CASE WHEN over_checkpoints THEN 'checkpoints' ELSE 'items' END AS over,
       n, unpaired::BIGINT AS unpaired, is_loss, right_or_wrong, score_reference, score, difference,
       difference - half_width AS low, difference + half_width AS high,
       CASE WHEN over_checkpoints THEN coalesce(abs(difference) > half_width, false) ELSE one_resolved END AS resolved,
       checkpoints
FROM summed s
ORDER BY comparison, is_loss DESC, evaluation, cell;
