-- Which tasks used less memory than their weights take? A weight that is trained takes at least 2 bytes, one that is stored in a
-- precision what was measured of it; the devices together hold them at least once. A finding per result.
WITH held AS (SELECT *, coalesce(weight_bytes, 2 * parameters) AS bytes FROM taken)
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, ['peak_memory_gb', 'weight_bytes']) AS cells,
       format('Peak memory is {:.5g} GB on each of {} devices, but {} parameters take {:.5g} GB{}.', peak_memory_gb,
              hardware_count, parameters, bytes / 1e9, CASE WHEN weight_bytes IS NULL THEN ' at 2 bytes' ELSE '' END) AS explanation
FROM held WHERE peak_memory_gb * hardware_count < bytes / 1e9
ORDER BY key;
