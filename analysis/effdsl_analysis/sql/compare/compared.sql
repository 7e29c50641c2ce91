-- The pairs of compared_pairs, a row each, small sizes first.
FROM compared_pairs ORDER BY metric, setting, printed_order, printed_size, measured_order, measured_size, a, b;
