-- What can be asked of `entries`? One row of lists: the names of groups, metrics, columns and scales.

SELECT coalesce((SELECT list(name ORDER BY place) FROM (SELECT DISTINCT "group" AS name, group_place AS place FROM entries)), [])
         AS "groups",
       coalesce(list(DISTINCT metric), []) AS metrics,
       coalesce(list(DISTINCT "column" ORDER BY "column"), []) AS columns,
       coalesce(list(DISTINCT scale ORDER BY scale) FILTER (scale IS NOT NULL), []) AS scales
FROM entries;
