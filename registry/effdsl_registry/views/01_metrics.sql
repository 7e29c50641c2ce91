-- {metric_rows}: one row per metric of effdsl.metrics.METRICS.
CREATE OR REPLACE VIEW metrics AS
SELECT * FROM (VALUES {metric_rows}) AS m
  (place, name, label, unit, better, definition, on_default_table, short, is_energy, stages, is_quality);

COMMENT ON VIEW metrics IS 'every metric: name (a column of results), label, unit, direction, definition, what rankings call it, whether it is an energy, the stages it is of (none: all), whether it is their quality';

-- {axis_rows}: one row per axis of the stages of effdsl.stages.
CREATE OR REPLACE VIEW axes AS
SELECT * FROM (VALUES {axis_rows}) AS a (axis, stage, place, within, batch_of, compares_dtypes);

COMMENT ON VIEW axes IS 'every dimension of choice, its stage, its place from the outside in, the axis whose usual technique has it (NULL: none), what a batch of its stage is made of, and whether its stage compares results of different dtypes';
