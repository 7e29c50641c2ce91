-- Which precisions of the same weights were measured at other work alone? Speed depends on the length of prompts and answers, on how
-- many sequences are computed at once, on engine and threads; a precision that shares these with no other is compared with none,
-- and its rates are not to be read beside theirs. A finding per precision.
WITH
work AS (
  SELECT base, hardware, hardware_count, technique, any_value(key ORDER BY key) AS key,
         concat_ws(', ', format('{} prompt tokens', prompt_tokens), format('{} new', new_tokens), load, engine,
                   format('{} threads', threads)) AS work
  FROM taken WHERE json_exists(choices, '$.precision')
  GROUP BY base, hardware, hardware_count, technique, prompt_tokens, new_tokens, load, engine, threads
),
lonely AS (
  SELECT a.* FROM work a
  WHERE NOT EXISTS (FROM work b WHERE b.base = a.base AND b.hardware = a.hardware AND b.hardware_count = a.hardware_count
                    AND b.technique <> a.technique
                    AND b.work IN (SELECT work FROM work c WHERE c.base = a.base AND c.hardware = a.hardware
                                   AND c.hardware_count = a.hardware_count AND c.technique = a.technique))
),
others AS (
  SELECT l.technique, l.key, l.work, string_agg(DISTINCT format('{} ({})', o.technique, o.work), '; '
                                                ORDER BY format('{} ({})', o.technique, o.work)) AS others
  FROM lonely l JOIN work o ON o.base = l.base AND o.hardware = l.hardware AND o.hardware_count = l.hardware_count
    AND o.technique <> l.technique
  GROUP BY l.technique, l.key, l.work
)
SELECT 'warning' AS severity, t.short_key AS "table", cells_of(t.seen, ['it_tokens_per_s', 'batched_tokens_per_s']) AS cells,
       format('{} was measured with {} alone; {}.', o.technique, o.work, o.others) AS explanation
FROM others o JOIN taken t USING (key)
ORDER BY key;
