-- Does energy equal power times time? Eq. 8: AEC is energy over time; the measured iterations take AL × their number. The
-- meter's window also holds what runs between iterations, so up to a quarter may lie between. A finding per result.
SELECT 'error' AS severity, short_key AS "table", cells_of(seen, ['energy_j', 'aec_w', 'al_s_per_iter']) AS cells,
       format('Energy is {:.5g} J, but AEC × AL × {} iterations is {:.5g} J.', energy_j, measured_iterations,
              aec_w * al_s_per_iter * measured_iterations) AS explanation
FROM taken
WHERE measured_iterations > 0 AND energy_j > 0
  AND abs(aec_w * al_s_per_iter * measured_iterations / energy_j - 1) > 0.25
ORDER BY key;
