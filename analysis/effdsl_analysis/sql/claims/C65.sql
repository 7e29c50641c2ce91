-- Larger Qwen2.5 models score higher on every benchmark, in bfloat16 (Table 16).
-- A case per benchmark: each model scores higher than every smaller one. Where the sizes are not printed beside the
-- scores, they are those of the same models elsewhere.
WITH sizes AS (
  SELECT size, max(size_b) AS billions FROM subjects
  WHERE axis = 'precision' AND modality = 'text' AND starts_with(size, 'qwen2.5-') GROUP BY size
),
steps AS (
  SELECT setting, source, metric, verdict,
         {'billions': x.billions, 'shown': format('{} {:.4g}', size, value_a)} AS smaller,
         {'billions': y.billions, 'shown': format('{} {:.4g}', other_size, value_b) || noted(verdict)} AS larger
  FROM contrasted('precision', 'text') c JOIN sizes x USING (size) JOIN sizes y ON y.size = c.other_size
  WHERE method_a = 'bfloat16' AND method_b = 'bfloat16' AND y.billions > x.billions
)
SELECT label AS "case", every(CASE WHEN NOT open(verdict) THEN verdict = 'higher' END) AS supports,
       array_to_string(list_transform(list_sort(list_distinct(list(smaller) || list(larger))), lambda m: m.shown), ', ') AS shown,
       source
FROM steps JOIN benchmarks() USING (metric)
GROUP BY setting, source, label
ORDER BY label, setting;
