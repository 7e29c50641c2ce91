-- The printed values of the subjects of published_subjects.sql: one exact observation each.

CREATE OR REPLACE TEMP TABLE observations AS
SELECT format('table {} line {}', table_number, line) AS cell, metric, 0::BIGINT AS seed, digits12(value) AS value,
       true AS exact, printed, NULL::VARCHAR AS key
FROM published;
