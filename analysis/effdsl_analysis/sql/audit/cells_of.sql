-- What the rules of both kinds of evidence share.
--
-- cells_of(cell_by_metric, metrics)   the cells of some metrics, those without a value left out

CREATE OR REPLACE TEMP MACRO cells_of(cell_by_metric, metrics) AS
  list_filter(list_transform(metrics, lambda m: cell_by_metric[m]), lambda c: c IS NOT NULL);
