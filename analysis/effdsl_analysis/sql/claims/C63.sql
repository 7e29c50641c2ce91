-- bfloat16 has the highest mean score (Table 9).
-- The paper says "typically", so what is claimed is most models and not each of them.
SELECT 'in most models' AS "case", most(supports) AS supports,
       format('{}: {}', share(supports),
              string_agg(format('{} {} ({})', "case",
                                CASE WHEN supports THEN 'yes' WHEN NOT supports THEN 'no' ELSE 'open' END, shown), ', '
                         ORDER BY billions, "case", technique)) AS shown, setting, source
FROM extreme('precision', 'text', 'avg_perf', 'bfloat16', 'highest') GROUP BY setting, source;
