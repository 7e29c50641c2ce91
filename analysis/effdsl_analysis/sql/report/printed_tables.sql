-- Which tables of the paper are in the store, with what they compare and on what they were made?

SELECT table_number AS "table", any_value(stage) AS stage, any_value(axis) AS axis, any_value(modality) AS modality,
       count(DISTINCT line) AS lines, count(*) AS "values",
       string_agg(DISTINCT dataset, ', ' ORDER BY dataset) AS dataset,
       string_agg(DISTINCT devices || ' × ' || hardware, ', ' ORDER BY devices || ' × ' || hardware) AS hardware
FROM published GROUP BY table_number ORDER BY table_number;
