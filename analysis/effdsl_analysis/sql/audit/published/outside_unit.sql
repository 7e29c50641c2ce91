-- Which fractions are not between 0 and 1, and which amounts not above 0? PCU and scores are fractions (eq. 2); memory,
-- time, power, rates, perplexity and loss are positive. A finding per value.
SELECT 'error' AS severity, p."table", [p.cell] AS cells,
       format('{} is {}; {}.', p.metric, p.printed,
              CASE WHEN m.unit = 'fraction' THEN 'a fraction lies between 0 and 1'
                   ELSE 'it has to be above 0' END) AS explanation
FROM printed p JOIN metrics m ON m.name = p.metric
WHERE CASE WHEN m.unit = 'fraction' THEN p.value NOT BETWEEN 0 AND 1 ELSE p.value <= 0 END
ORDER BY p.table_number, p.line, p.metric;
