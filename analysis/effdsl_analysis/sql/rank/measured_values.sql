-- The measured means that can be ranked across scales, in the columns of published_values.sql.
--
-- A group is an axis (attention, position, …) with what its results share: hardware, data, budget, dtype; a second
-- one of the same axis is called attention-2. One technique alone is no group. Two cells of one name at one scale are
-- told apart by their `short_cell`. Energies are left out of a group in which the meters saw different parts of the machine.
-- Usual are the metrics of the default table and those that the paper ranks.

CREATE OR REPLACE TEMP TABLE entries AS
WITH
measured_groups AS (
  SELECT axis, setting, source, row_number() OVER (ORDER BY axis, source, setting) AS group_place,
         row_number() OVER (PARTITION BY axis ORDER BY source, setting) AS nth
  FROM (SELECT axis, setting, source FROM figures GROUP BY ALL HAVING count(DISTINCT technique) > 1)
),
several_meters AS (
  SELECT axis, setting, metric FROM figures
  WHERE metric IN (SELECT metric FROM energy_metrics())
  GROUP BY ALL HAVING count(DISTINCT coalesce(energy_scope, '')) > 1
)
SELECT axis || CASE WHEN nth > 1 THEN '-' || nth ELSE '' END AS "group", group_place,
       replace(axis, '_', ' ') || ' · ' || source AS title,
       CASE WHEN count(*) OVER (PARTITION BY axis, setting, size, metric, technique) > 1
            THEN format('{} (cell {})', technique, left(cell, 10)) ELSE technique END AS technique,
       size AS scale, dense_rank() OVER (ORDER BY size_b, size) AS scale_place,
       short AS metric, place AS metric_place, name AS "column", label, unit, better,
       on_default_table OR name IN (SELECT name FROM paper_metrics()) OR is_quality
         AS usual, value
FROM figures f JOIN measured_groups USING (axis, setting, source) JOIN metrics m ON m.name = metric
WHERE (axis, setting, metric) NOT IN (SELECT (axis, setting, metric) FROM several_meters);
