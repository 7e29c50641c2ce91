-- Which candidates satisfy which condition? Candidates without all metrics are left out: they cannot be compared.
--
-- met     one row per candidate and condition: value with its interval; position (the value, or its negative where the
--         condition is a lower bound: smaller is always further in); within (the value itself satisfies it); meets:
--           certainly      the whole interval satisfies it; so does a printed value
--           possibly       the value does, but the interval reaches out of the bound, or is unknown
--           possibly not   the value does not, but the interval reaches into the bound, or is unknown
--           no             nothing of the interval does

CREATE OR REPLACE TEMP MACRO inside(x, sign, strict, bound) AS
  CASE WHEN strict THEN sign * x < sign * bound ELSE sign * x <= sign * bound END;

CREATE OR REPLACE TEMP TABLE met AS
WITH held AS (
  SELECT c.decision, c.cell, k.number, k.metric, f.value, f.low, f.high, k.sign * f.value AS position, k.sign * k.bound AS edge,
         inside(f.value, k.sign, k.strict, k.bound) AS within,
         inside(CASE k.sign WHEN 1 THEN f.high ELSE f.low END, k.sign, k.strict, k.bound) AS far_end_within,
         inside(CASE k.sign WHEN 1 THEN f.low ELSE f.high END, k.sign, k.strict, k.bound) AS near_end_within
  FROM candidates c CROSS JOIN conditions k JOIN figures f ON f.cell = c.cell AND f.metric = k.metric
  WHERE c.lacking = []
)
SELECT *, CASE WHEN within AND coalesce(far_end_within, false) THEN 'certainly'
               WHEN within THEN 'possibly'
               WHEN coalesce(near_end_within, true) THEN 'possibly not'
               ELSE 'no' END AS meets
FROM held;
