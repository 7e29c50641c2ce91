-- What do the printed table and the measured results say of the techniques that both have?
-- One row per metric, side, size and technique: value, and its 95% interval where repeats give one.

WITH
shared AS (
  SELECT DISTINCT axis, method, metric FROM printed_figures
  INTERSECT SELECT DISTINCT axis, method, metric FROM figures
),
several AS (FROM shared WHERE (axis, metric) IN (SELECT (axis, metric) FROM shared GROUP BY ALL HAVING count(*) > 1))
SELECT metric, 'printed' AS side, size, size_b, method, technique, value, NULL::DOUBLE AS low, NULL::DOUBLE AS high, '' AS setting
FROM printed_figures SEMI JOIN several USING (axis, method, metric)
UNION ALL
SELECT metric, 'measured', size, size_b, method, technique, value, low, high, setting
FROM figures SEMI JOIN several USING (axis, method, metric)
ORDER BY metric, side DESC, size_b, size, method, technique;
