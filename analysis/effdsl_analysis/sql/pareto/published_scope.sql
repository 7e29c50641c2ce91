-- What can be asked of the paper's leaderboard? One row: the names of its groups, its scales and models, its metrics.

SELECT (SELECT list(name ORDER BY place) FROM (SELECT "group" AS name, place FROM published_groups())) AS "groups",
       list(DISTINCT size ORDER BY size) AS sizes,
       list(DISTINCT metric ORDER BY metric) AS metrics
FROM published_rows();
