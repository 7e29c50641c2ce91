-- MQA and GQA have the two lowest FIDs on every backbone (Table 10).
-- A case per backbone: neither of the two is above any other method.
WITH each AS (
  FROM extreme_but('attention', 'image', 'fid', 'mqa', 'lowest', ['gqa'])
  UNION ALL
  FROM extreme_but('attention', 'image', 'fid', 'gqa', 'lowest', ['mqa'])
)
SELECT size AS "case", CASE WHEN count(DISTINCT technique) > 1 OR NOT every(supports) THEN every(supports) END AS supports,
       string_agg(shown, ' | ' ORDER BY technique) AS shown, source
FROM each
GROUP BY setting, source, size
ORDER BY size;
