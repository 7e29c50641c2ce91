-- What the rules of published/ read. Needs: the view `published`, and the tables `devices` (the hardware that effdsl
-- knows: name, memory_gb, power_limit_w, peak_flops in bfloat16) and `listed_models` (Tables 2 and 15).
--
-- A rule is one SELECT with the columns severity ('error': impossible, or against a definition; 'warning': not
-- credible; 'note': to be read with care), "table", cells (a list of `cell`s) and explanation.
--
-- printed         a row per printed value: the columns of `published` and
--                   half      half a unit of the last printed digit: the true value lies within value ± half
--                   digits    how many significant digits are printed
--                   cell      where the value stands and what is printed there
-- printed_rows    a row per line of a table, with a column per metric, and
--                   cell      its cells by metric, e.g. cell['ppl']
--                   off       how far rounding can move a value, as a fraction of it, by metric
--                   peak_flops, memory_gb, power_limit_w   of the device that the paper names (NULL: it names none)

CREATE OR REPLACE TEMP TABLE printed AS
WITH tokens AS (
  SELECT *, regexp_extract(printed, '^[0-9.]+') AS mantissa,
         coalesce(try_cast(regexp_extract(printed, 'e(.+)$', 1) AS INTEGER), 0) AS exponent
  FROM published
)
SELECT format('Table {}', table_number) AS "table", * EXCLUDE (mantissa, exponent, evidence),
       0.5 * pow(10, exponent - length(regexp_extract(mantissa, '\.(.*)$', 1))) AS half,
       length(ltrim(replace(mantissa, '.', ''), '0')) AS digits,
       struct_pack("table" := format('Table {}', table_number), line := line, technique := technique, "size" := "size",
                   metric := metric, printed := printed) AS cell
FROM tokens;

CREATE OR REPLACE TEMP TABLE printed_rows AS
WITH lines AS (
  SELECT table_number, line, map(list(metric), list(cell)) AS cell, map(list(metric), list(half / value)) AS off
  FROM printed WHERE value <> 0 GROUP BY table_number, line
),
wide AS (
  PIVOT (SELECT * EXCLUDE (printed, half, digits, cell, reading_note) FROM printed) ON metric USING any_value(value)
)
SELECT w.*, l.cell, l.off, d.peak_flops, d.memory_gb, d.power_limit_w
FROM wide w JOIN lines l USING (table_number, line)
LEFT JOIN devices d ON d.dtype = 'bfloat16' AND starts_with(d.name, w.hardware || ' ');

-- Lines of several tables that print one run: the paper's base model (Qwen2.5 architecture: GQA, RoPE, dense) stands in
-- Tables 3 to 6, its DiT with multi-head attention in Tables 10 and 11.
CREATE OR REPLACE TEMP TABLE same_runs AS
SELECT format('{} {}', CASE WHEN table_number < 10 THEN 'base model' ELSE 'DiT' END, "size") AS run, table_number, line
FROM printed_rows
WHERE (table_number, method) IN ((3, 'gqa'), (4, 'rope'), (5, 'dense'), (6, 'qwen2.5'), (10, 'mha'), (11, 'dense'));

-- layouts         (made of these in printed_layouts.py) a row per line of Table 3 and way of dividing its model:
--                   layout    in words
--                   least_s   seconds of a step at the least
--                   least_gb, most_gb   of a GPU, at the least and at the most
