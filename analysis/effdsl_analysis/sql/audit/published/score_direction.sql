-- Does the efficiency score reward what it should? Eq. 12 as printed adds 0.2 × AL / min(AL), which grows with latency, and
-- 0.2 × min(ST) / ST, which grows as throughput falls. Where the slowest row of a model gets the best score, or a row
-- scores above 1, the score contradicts the arrows of the table. A finding per model; min is taken over its rows.
WITH scored AS (
  SELECT *, al_s_per_iter / min(al_s_per_iter) OVER model_rows AS al_term,
         0.2 * (min(amu_gb) OVER model_rows / amu_gb + min(pcu) OVER model_rows / pcu
                + al_s_per_iter / min(al_s_per_iter) OVER model_rows
                + min(st_samples_per_param_s) OVER model_rows / st_samples_per_param_s
                + min(aec_w) OVER model_rows / aec_w) AS score
  FROM printed_rows WHERE stage = 'fine-tuning'
  WINDOW model_rows AS (PARTITION BY table_number, model)
)
SELECT 'error' AS severity, "table",
       cells_of(cell, ['amu_gb', 'pcu', 'al_s_per_iter', 'st_samples_per_param_s', 'aec_w']) AS cells,
       format('By eq. 12 as printed {} scores {:.3g}, the best of {}, and it has the highest AL: {:.3g} of it is the term '
              'AL / min(AL), which rewards latency.', technique, score, model, 0.2 * al_term) AS explanation
FROM scored
QUALIFY score = max(score) OVER (PARTITION BY table_number, model)
    AND al_s_per_iter = max(al_s_per_iter) OVER (PARTITION BY table_number, model)
ORDER BY table_number, line;
