-- GLoRA has a competitive loss on Wan 2.1 (Table 13).
-- Competitive: at most 10% above that of any other PEFT method.
SELECT size AS "case", every(within(1 / ratio_high, 1 / ratio_low, 0, 1.1)) AS supports,
       format('{} {:.5g}, up to {:.3g}x (competitive: up to 1.1x); {}', technique_a, any_value(value_a), max(1 / ratio),
              string_agg(format('{} {:.5g}', technique_b, value_b), ', ' ORDER BY value_b)) AS shown,
       source, technique_a AS technique
FROM compared('fine_tuning', 'image and video', 'loss')
WHERE same_size AND method_a = 'glora' AND method_b NOT IN ('glora', 'full') AND size = 'wan-2.1'
GROUP BY setting, source, size, technique_a, a
ORDER BY setting, a;
