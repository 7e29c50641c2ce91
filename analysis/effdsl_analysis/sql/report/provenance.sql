-- Where do results come from? Parameter: $study (NULL: everything in the store). One row.

SELECT
  count(*) AS results,
  map_from_entries(list_sort(list(DISTINCT (outcome, same)))) AS outcomes,
  count(DISTINCT cell) AS cells,
  count(DISTINCT seed) AS seeds,
  min(started_at) AS first, max(finished_at) AS last,
  list(DISTINCT hardware || CASE WHEN hardware_count > 1 THEN ' × ' || hardware_count ELSE '' END ORDER BY 1)
    FILTER (hardware <> '') AS hardware,
  list(DISTINCT device ORDER BY device) FILTER (device <> '') AS device,
  list(DISTINCT driver ORDER BY driver) FILTER (driver <> '') AS driver,
  list(DISTINCT os ORDER BY os) FILTER (os <> '') AS os,
  list(DISTINCT python ORDER BY python) FILTER (python <> '') AS python,
  list(DISTINCT engine || ' ' || engine_version ORDER BY 1) FILTER (engine <> '') AS engine,
  list(DISTINCT kernel ORDER BY kernel) FILTER (kernel <> '') AS kernel,
  list(DISTINCT dtype ORDER BY dtype) FILTER (dtype <> '') AS dtype,
  list(DISTINCT meter_scope ORDER BY meter_scope) FILTER (meter_scope <> '') AS meter_scope,
  list(DISTINCT git_commit || CASE WHEN git_dirty THEN ' with changes' ELSE '' END ORDER BY 1)
    FILTER (git_commit <> '') AS git_commit,
  list_sort(list_distinct(flatten(list(list_transform(map_entries(libraries), lambda e: e.key || ' ' || e.value))))) AS libraries,
  list(DISTINCT data || coalesce(' ' || left(nullif(data_revision, ''), 12), '') ORDER BY 1) FILTER (data <> '') AS data
FROM (SELECT r.*, count(*) OVER (PARTITION BY r.outcome) AS same FROM results r JOIN chosen($study, NULL) USING (key));
