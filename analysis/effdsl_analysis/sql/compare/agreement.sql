-- How far do the orders agree? Kendall's tau-b of printed and measured values, per metric, printed and measured size.
--
-- tau            from the signs of the differences of the means: +1 the same order, -1 the reverse
-- tau_low, tau_high   what it can be as far as the repeats tell: every pair that they do not resolve may go either way
-- resolved       pairs that they do resolve, of `pairs`; `agreeing` of them are ordered as printed

WITH pairs AS (
  SELECT *, measured IN ('lower', 'higher') AS sure FROM compared_pairs
)
SELECT metric, setting, printed_size, measured_size,
       count(*) AS pairs, count(*) FILTER (sure) AS resolved, count(*) FILTER (agrees) AS agreeing,
       sum(printed_sign * measured_sign) / nullif(sqrt(sum(abs(printed_sign)) * sum(abs(measured_sign))), 0) AS tau,
       (coalesce(sum(printed_sign * measured_sign) FILTER (sure), 0) - coalesce(sum(abs(printed_sign)) FILTER (NOT sure), 0))
         / nullif(sqrt(sum(abs(printed_sign)) * count(*)), 0) AS tau_low,
       (coalesce(sum(printed_sign * measured_sign) FILTER (sure), 0) + coalesce(sum(abs(printed_sign)) FILTER (NOT sure), 0))
         / nullif(sqrt(sum(abs(printed_sign)) * count(*)), 0) AS tau_high
FROM pairs
GROUP BY metric, setting, printed_size, measured_size
ORDER BY metric, setting, min(printed_order), printed_size, min(measured_order), measured_size;
