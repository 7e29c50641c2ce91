-- Where are two techniques predicted to be equal? One row per metric and pair of fits on one axis, in one setting.
--
-- resolved       whether the intervals of the two exponents are apart; if they are not, no crossing is claimed
-- crossing       N at which the laws meet: exp((ln c1 - ln c2) / (k2 - k1)); NULL where that is no finite number
-- low, high      its 95% interval: all N at which the difference of the two laws is within its own (Fieller). Each law's
--                part of that is weighted with its own t, so that the interval is bounded wherever the exponents are resolved
-- place          inside the range of sizes, above or below it
-- beyond         how many times the crossing lies above the largest or below the smallest size; NULL inside
-- lower_below, lower_above   which of the two is lower on either side of the crossing

WITH
pairs AS (
  SELECT a.axis, a.setting, a.scope, a.source, a.metric, a.technique AS a, b.technique AS b,
         least(a.smallest, b.smallest) AS smallest, greatest(a.largest, b.largest) AS largest,
         a.high < b.low OR b.high < a.low AS resolved,
         a.exponent - b.exponent AS slope,
         (a.mean_x + b.mean_x) / 2 AS middle, a.mean_x - middle AS ax, b.mean_x - middle AS bx,
         a.intercept - b.intercept + slope * middle AS gap,
         a.t ** 2 * a.variance / a.sxx AS av, b.t ** 2 * b.variance / b.sxx AS bv,
         a.t ** 2 * a.variance / a.points AS au, b.t ** 2 * b.variance / b.points AS bu
  FROM fits a JOIN fits b
    ON b.axis = a.axis AND b.setting = a.setting AND b.scope IS NOT DISTINCT FROM a.scope AND b.metric = a.metric
   AND a.technique < b.technique
  WHERE a.verdict = 'fitted' AND b.verdict = 'fitted'
),
-- (gap + slope x) ** 2 <= au + av (x - ax) ** 2 + bu + bv (x - bx) ** 2, solved for x, the distance from the middle
quadratic AS (
  SELECT *, slope ** 2 - av - bv AS p, 2 * (gap * slope + av * ax + bv * bx) AS q,
         gap ** 2 - au - bu - av * ax ** 2 - bv * bx ** 2 AS r,
         sqrt(greatest(q ** 2 - 4 * p * r, 0)) AS root
  FROM pairs
),
solved AS (
  SELECT *, CASE WHEN resolved THEN middle - gap / slope END AS x,
         CASE WHEN resolved THEN middle + (-q - root) / (2 * p) END AS x_low,
         CASE WHEN resolved THEN middle + (-q + root) / (2 * p) END AS x_high
  FROM quadratic
),
found AS (
  SELECT *, 1e9 * exp(x) AS crossing, 1e9 * exp(x_low) AS low, 1e9 * exp(x_high) AS high FROM solved
)
SELECT axis, setting, scope, source, metric, a, b, resolved, smallest, largest,
       CASE WHEN isfinite(crossing) THEN crossing END AS crossing,
       CASE WHEN isfinite(low) THEN low END AS low, CASE WHEN isfinite(high) THEN high END AS high,
       CASE WHEN NOT resolved THEN NULL WHEN crossing > largest THEN 'above' WHEN crossing < smallest THEN 'below'
            ELSE 'inside' END AS place,
       CASE place WHEN 'above' THEN CASE WHEN isfinite(crossing) THEN crossing / largest END
                  WHEN 'below' THEN CASE WHEN crossing > 0 THEN smallest / crossing END END AS beyond,
       CASE WHEN resolved THEN CASE WHEN slope > 0 THEN a ELSE b END END AS lower_below,
       CASE WHEN resolved THEN CASE WHEN slope > 0 THEN b ELSE a END END AS lower_above
FROM found
ORDER BY axis, source, setting, scope NULLS FIRST, metric, resolved DESC, place = 'inside' DESC, beyond NULLS LAST, a, b;
