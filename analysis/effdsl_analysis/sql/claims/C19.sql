-- MoE cuts training FLOPs by 1.8x (Table 5).
-- FLOPs are no metric of any table, and which dense model is meant is not said, so nothing can be computed in their place.
SELECT 'training FLOPs' AS "case", NULL::BOOLEAN AS supports,
       format('missing: training FLOPs, which none of the {} metrics here counts', count(DISTINCT metric)) AS shown,
       'size' AS tests
FROM figures WHERE axis = 'feed_forward' AND modality = 'text'
HAVING count(*) > 0;
