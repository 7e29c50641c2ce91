-- Which values are above what the devices have? Memory is compared with the nominal size in GiB, which a device of that many
-- "GB" may have (7.4% more), and counted over all devices; power with the limit of all devices and 5% for its meter.
-- A finding per value.
WITH against AS (
  SELECT *, 'peak_memory_gb' AS metric, peak_memory_gb AS value,
         memory_gb * 1.0737 * hardware_count AS most, 'GB' AS unit FROM taken
  UNION ALL
  SELECT *, 'aec_w', aec_w, power_limit_w * 1.05 * hardware_count, 'W' FROM taken
  WHERE meter_scope IN ('gpu', 'module')
)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, [metric]) AS cells,
       format('{} is {:.5g}; {} × {} has at most {:.5g} {}.', metric, value, hardware_count, hardware, most, unit) AS explanation
FROM against WHERE value > most
ORDER BY key, metric;
