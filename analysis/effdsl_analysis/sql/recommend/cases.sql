-- What is asked, and what if it were asked otherwise? Makes
--
-- cases     one row per case and decision: kind, and for some the number of a condition (0: the tolerance) and an edge
--   asked         all conditions as they are
--   free          no condition
--   without       all but one condition
--   pessimistic   only what satisfies every condition certainly
--   optimistic    also what possibly does, though its value does not
--   edge          one condition with its bound moved to the value of a candidate, so that this one just satisfies it
-- gaps      the tolerances at which a candidate becomes possibly near enough, and certainly
-- allowed   the candidates of each case, with its tolerance

CREATE OR REPLACE TEMP TABLE gaps AS
WITH
remaining AS (
  SELECT decision AS "case", cell, NULL::DOUBLE AS tolerance FROM candidates
  WHERE lacking = [] AND cell NOT IN (SELECT cell FROM met WHERE NOT within)
),
costs AS (
  SELECT "case", cell, metric, sign, sign * value AS cost, k.tolerance
  FROM remaining JOIN figures f USING (cell) JOIN criteria k USING (metric) WHERE role = 'best' AND k.tolerance IS NOT NULL
),
leaders AS (SELECT "case", first(cell ORDER BY cost, cell) AS leader FROM costs GROUP BY "case")
SELECT "case" AS decision, s.cell, s.tolerance,
       unnest(CASE WHEN s.cell = leader OR c.verdict = 'undecided' THEN [0]
                   ELSE [greatest(least_gap(s.sign, c.difference, c.low, c.high, c.value_a), 0),
                         greatest(most_gap(s.sign, c.difference, c.low, c.high, c.value_a), 0)] END) AS gap
FROM costs s JOIN leaders USING ("case")
LEFT JOIN contrasts c ON c.metric = s.metric AND c.a = leader AND c.b = s.cell;

CREATE OR REPLACE TEMP TABLE edges AS
SELECT DISTINCT decision, number, position AS edge, within FROM met
UNION ALL
SELECT DISTINCT decision, 0, gap, gap <= tolerance FROM gaps WHERE gap IS NOT NULL;

CREATE OR REPLACE TEMP TABLE cases AS
WITH
decisions AS (SELECT DISTINCT decision FROM candidates),
wanted AS (
  SELECT decision, unnest(['asked', 'free', 'pessimistic', 'optimistic']) AS kind, NULL::BIGINT AS number, NULL::DOUBLE AS edge
  FROM decisions
  UNION ALL SELECT decision, 'without', number, NULL FROM decisions CROSS JOIN conditions
  UNION ALL SELECT decision, 'edge', number, edge FROM edges
)
SELECT row_number() OVER (ORDER BY decision, kind, number, edge) AS "case", * FROM wanted;

CREATE OR REPLACE TEMP TABLE allowed AS
WITH refused AS (
  SELECT "case", m.cell FROM cases k JOIN met m USING (decision)
  WHERE CASE k.kind
          WHEN 'free' THEN false
          WHEN 'pessimistic' THEN m.meets <> 'certainly'
          WHEN 'optimistic' THEN m.meets = 'no'
          ELSE CASE WHEN m.number IS DISTINCT FROM k.number THEN NOT m.within ELSE m.position > k.edge END
        END
)
SELECT k."case", c.cell,
       CASE WHEN k.kind = 'edge' AND k.number = 0 THEN k.edge
            ELSE (SELECT tolerance FROM criteria WHERE role = 'best') END AS tolerance
FROM cases k JOIN candidates c USING (decision)
WHERE c.lacking = [] AND (k."case", c.cell) NOT IN (SELECT ("case", cell) FROM refused);
