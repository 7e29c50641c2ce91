-- Which techniques does each side have? For the message when they share too few.
SELECT (SELECT coalesce(list(DISTINCT method ORDER BY method), []) FROM printed_figures) AS printed,
       (SELECT coalesce(list(DISTINCT technique ORDER BY technique), []) FROM figures) AS measured,
       (SELECT list(DISTINCT table_number ORDER BY table_number) FROM published) AS tables;
