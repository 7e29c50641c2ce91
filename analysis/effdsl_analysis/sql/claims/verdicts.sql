-- What the cases of each claim say together, by the kind of statement that it is (kinds.sql).
--
-- Cases that test a number are judged apart from the others, and the verdict is the worse of the two: fails, partly,
-- undecided, holds. Of each:
--   fails      cases contradict it and none supports it; or it is said of every case and more than half contradict it
--   partly     some support it and some contradict it
--   holds      all support it
--   undecided  anything else; so a number that no case tests does not hold
--
-- Parameters, lists with an entry per case: ids, sources, tests, supports. A row per claim: id, kinds, verdict.
WITH
says AS (
  SELECT place, id, coalesce(list(kind ORDER BY kind) FILTER (kind IS NOT NULL), []) AS kinds
  FROM claims LEFT JOIN kinds USING (id) GROUP BY place, id
),
cases AS (
  SELECT unnest($ids::VARCHAR[]) AS id, unnest($sources::VARCHAR[]) AS source,
         coalesce(unnest($tests::VARCHAR[]) = 'size', false) AS of_number, unnest($supports::BOOLEAN[]) AS supports
),
tried AS (
  SELECT id, of_number, supports FROM cases JOIN says USING (id) WHERE NOT (of_number AND list_contains(kinds, 'range'))
  UNION ALL
  SELECT id, of_number, every(supports) FROM cases JOIN says USING (id)
  WHERE of_number AND list_contains(kinds, 'range') GROUP BY id, of_number, source
),
parts AS (
  SELECT DISTINCT id, of_number FROM cases
  UNION
  SELECT id, true FROM says WHERE list_has_any(kinds, ['number', 'range'])
),
counted AS (
  SELECT id, of_number, count(*) FILTER (supports) AS supporting, count(*) FILTER (NOT supports) AS contradicting,
         count(tried.id) AS tries
  FROM parts LEFT JOIN tried USING (id, of_number) GROUP BY id, of_number
),
judged AS (
  SELECT id, CASE WHEN contradicting > 0 AND supporting = 0 THEN 'fails'
                  WHEN NOT of_number AND list_contains(kinds, 'every') AND contradicting > tries / 2 THEN 'fails'
                  WHEN contradicting > 0 THEN 'partly'
                  WHEN supporting > 0 AND supporting = tries THEN 'holds'
                  ELSE 'undecided' END AS verdict
  FROM counted JOIN says USING (id)
)
SELECT id, kinds,
       coalesce(arg_min(verdict, list_position(['fails', 'partly', 'undecided', 'holds'], verdict)), 'undecided') AS verdict
FROM says LEFT JOIN judged USING (id)
GROUP BY place, id, kinds ORDER BY place;
