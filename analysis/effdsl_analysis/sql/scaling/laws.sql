-- The fits, a row each, in the order in which they are shown.
FROM fits ORDER BY axis, source, setting, scope NULLS FIRST, metric, exponent NULLS LAST, technique;
