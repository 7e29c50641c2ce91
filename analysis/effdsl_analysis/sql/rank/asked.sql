-- Leaves in `entries` what is asked for. Parameters: $groups (NULL: all), $metrics (columns or metrics; NULL: the usual).

DELETE FROM entries
WHERE ($groups IS NOT NULL AND NOT list_contains($groups::VARCHAR[], "group"))
   OR CASE WHEN $metrics IS NULL THEN NOT usual
           ELSE NOT list_has_any($metrics::VARCHAR[], ["column", metric]) END;
