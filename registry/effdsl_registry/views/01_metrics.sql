-- {metric_rows}: one row per metric of effdsl.metrics.METRICS.
CREATE OR REPLACE VIEW metrics AS
SELECT * FROM (VALUES {metric_rows}) AS m
  (place, name, label, unit, better, definition, on_default_table, short, is_energy);

COMMENT ON VIEW metrics IS 'every metric: name (a column of results), label, unit, direction, definition, what rankings call it, whether it is an energy';
