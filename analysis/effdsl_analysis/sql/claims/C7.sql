-- NSA consumes the least energy: AEC times the GPU hours of the run (Table 3).
-- The tables print no energy, so mean power is multiplied by hours per GPU and GPUs. Where energy per token was measured,
-- that is compared: those compared train on equally many tokens.
WITH energy AS (
  SELECT p.setting, p.source, p.size, p.size_b AS billions, p.technique, p.method,
         digits12(p.value * h.value * p.devices / 1000) AS kwh
  FROM figures p JOIN figures h ON h.cell = p.cell AND h.metric = 'gpu_hours_per_gpu' AND h.printed IS NOT NULL
  WHERE p.axis = 'attention' AND p.modality = 'text' AND p.metric = 'aec_w' AND p.printed IS NOT NULL
)
SELECT n.size AS "case", bool_and(n.kwh <= o.kwh) AS supports,
       format('nsa {:.5g} kWh; {}', n.kwh, string_agg(format('{} {:.5g}', o.technique, o.kwh), ', ' ORDER BY o.kwh)) AS shown,
       n.setting, n.source, n.billions
FROM energy n JOIN energy o ON o.setting = n.setting AND o.size = n.size AND o.method <> n.method
WHERE n.method = 'nsa'
GROUP BY n.setting, n.source, n.size, n.billions, n.kwh
UNION ALL BY NAME FROM extreme('attention', 'text', 'energy_j_per_token', 'nsa', 'lowest')
WHERE NOT EXISTS (FROM energy)
ORDER BY billions;
