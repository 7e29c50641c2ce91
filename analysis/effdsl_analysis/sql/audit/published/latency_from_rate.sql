-- Is AL the inverse of a rounded rate? Eq. 3 averages times. If every AL above 1 s of a table is, to its last digit, one
-- over a number of iterations per second with three decimals, the column has that rate's digits, not those printed: at
-- 5 s one step of the rate moves AL by 2.5%. A finding per table in which this holds for at least ten values, all of them.
WITH inverses AS (
  SELECT table_number, "table", line, cell, value,
         abs(1 / (round(1000 / value) / 1000) - value) <= half * 1.02 AS inverse,
         least(1, 2 * half * 1000 / (value * value)) AS by_chance,
         value * value / 1000 AS step
  FROM printed WHERE metric = 'al_s_per_iter' AND value > 1
)
SELECT 'note' AS severity, "table", list(cell ORDER BY line) AS cells,
       format('All {} values of AL above 1 s equal 1 / (iterations per second rounded to three decimals); by chance {:.1f} '
              'would be. One step of that rate is up to {:.2g} s, so smaller differences in AL mean nothing.',
              count(*), sum(by_chance), max(step)) AS explanation
FROM inverses GROUP BY table_number, "table" HAVING count(*) >= 10 AND bool_and(inverse)
ORDER BY table_number;
