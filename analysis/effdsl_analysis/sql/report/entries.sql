-- The values of the report's panels, in the columns that rank/compared.sql and scores/scores.sql read.
-- Parameter: $entries, a JSON list of {group, technique, metric, metric_place, better, value}. A panel is a group of
-- one scale.

CREATE OR REPLACE TEMP TABLE entries AS
SELECT entry.*, 0 AS group_place, '' AS title, NULL::VARCHAR AS scale, 0 AS scale_place
FROM (SELECT unnest(from_json($entries, '[{"group": "VARCHAR", "technique": "VARCHAR", "metric": "VARCHAR",
                                           "metric_place": "INTEGER", "better": "VARCHAR", "value": "DOUBLE"}]')) AS entry);
