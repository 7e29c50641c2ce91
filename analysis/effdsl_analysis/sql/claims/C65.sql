-- Larger Qwen2.5 models score higher on every benchmark, in bfloat16 (Table 16).
-- A case per benchmark: each model scores higher than every smaller one. Where the sizes are not printed beside the
-- scores, they are those of the same models elsewhere.
WITH sizes AS (
  SELECT size, max(size_b) AS billions FROM subjects
  WHERE axis = 'precision' AND modality = 'text' AND starts_with(size, 'qwen2.5-') GROUP BY size
),
steps AS (
  SELECT c.* EXCLUDE (billions, other_billions), x.billions, y.billions AS other_billions
  FROM contrasted('precision', 'text') c JOIN sizes x USING (size) JOIN sizes y ON y.size = c.other_size
  WHERE method_a = 'bfloat16' AND method_b = 'bfloat16' AND y.billions > x.billions
)
SELECT label AS "case", every(CASE WHEN NOT open(verdict) THEN verdict = 'higher' END) AS supports,
       string_agg(format('{} {:.4g} to {} {:.4g}', size, value_a, other_size, value_b) || noted(verdict), ', '
                  ORDER BY billions, other_billions) AS shown,
       source
FROM steps JOIN benchmarks() USING (metric)
GROUP BY setting, source, label
ORDER BY label, setting;
