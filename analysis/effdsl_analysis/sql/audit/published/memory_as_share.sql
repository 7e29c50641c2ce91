-- Is AMU a share of a device that the set-up does not name? Eq. 1 averages bytes. If every AMU of a table is a whole
-- multiple of 0.01% of some common memory size (80 GB, say: 0.008 GB), though the digits printed are finer, the column was
-- computed from a rounded percentage of that size. A device of another size than the paper names makes every value wrong
-- by their ratio: a warning; where the paper names no device it is a note. At least 20 values, of which the step explains
-- three in four and chance would explain fewer than one in four. A finding per table.
WITH steps AS (
  SELECT p.table_number, p."table", p.cell, p.value, p.half, d.gb, d.gb * 1e-4 AS step, p.line, n.memory_gb, n.hardware,
         abs(p.value / (d.gb * 1e-4) - round(p.value / (d.gb * 1e-4))) * d.gb * 1e-4 <= 1e-6 AS whole
  FROM printed p JOIN printed_rows n USING (table_number, line)
  CROSS JOIN (SELECT unnest([24, 32, 40, 48, 64, 80, 94, 96, 141, 192]) AS gb) d
  WHERE p.metric = 'amu_gb' AND p.half * 2 < d.gb * 1e-4
),
explained AS (
  SELECT table_number, "table", gb, any_value(memory_gb) AS memory_gb, any_value(hardware) AS hardware,
         list(cell ORDER BY line) FILTER (whole) AS cells, count(*) FILTER (whole) AS explained, count(*) AS n,
         sum(least(1, 2 * half / step)) AS by_chance
  FROM steps GROUP BY table_number, "table", gb HAVING count(*) >= 20 AND max(value) <= gb
)
SELECT CASE WHEN memory_gb <> gb THEN 'warning' ELSE 'note' END AS severity, "table", cells,
       format('{} of {} values of AMU with digits enough to tell are whole multiples of {:g} GB (by chance {:.1f} would be), which is 0.01% of {} GB, as '
              'rounded percentages of that memory are{}.',
              explained, n, gb * 1e-4, by_chance, gb,
              CASE WHEN memory_gb <> gb THEN format(', while the paper names {} ({:g} GB)', hardware, memory_gb)
                   ELSE '; the hardware is not stated' END) AS explanation
FROM explained WHERE explained >= 0.75 * n AND by_chance < 0.25 * n
QUALIFY gb = max(gb) OVER (PARTITION BY table_number)
ORDER BY table_number;
