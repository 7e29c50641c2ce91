-- Which trainings used less memory than their weights take? Each parameter takes at least 2 bytes, which the devices
-- together hold at least once. A finding per result.
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, ['peak_memory_gb']) AS cells,
       format('Peak memory is {:.5g} GB on each of {} devices, but {} parameters take {:.5g} GB at 2 bytes.', peak_memory_gb,
              hardware_count, parameters, 2 * parameters / 1e9) AS explanation
FROM taken WHERE peak_memory_gb * hardware_count < 2 * parameters / 1e9
ORDER BY key;
