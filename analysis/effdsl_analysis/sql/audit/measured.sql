-- What the rules of measured/ read. Needs: the views of a store, and the table `devices` (the hardware that effdsl knows:
-- name, dtype, memory_gb, power_limit_w, peak_flops, bandwidth). Parameter: $study (NULL: everything).
--
-- A rule is one SELECT with the columns severity ('error': impossible, or against a definition; 'warning': not
-- credible; 'note': to be read with care), "table" (the result's key), cells (a list) and explanation.
--
-- taken     a row per measured result that ended well: the columns of `results`, peak_flops, memory_gb, power_limit_w and bandwidth
--           of one of its devices (NULL: not known), and
--             seen   its cells by metric, e.g. seen['ppl']

CREATE OR REPLACE TEMP TABLE taken AS
WITH asked AS (
  SELECT r.* FROM results r JOIN chosen($study, NULL) c USING (key) WHERE r.outcome = 'ok' AND r.evidence = 'measured'
),
cells AS (
  SELECT m.key, map(list(m.metric), list(struct_pack("key" := a.short_key, technique := a.technique, scale := a.scale,
                                                     seed := a.seed, metric := m.metric, value := m.value))) AS seen
  FROM measurements m JOIN asked a USING (key) GROUP BY m.key
)
SELECT a.*, c.seen, d.peak_flops, d.memory_gb, d.power_limit_w, d.bandwidth
FROM asked a JOIN cells c USING (key) LEFT JOIN devices d ON d.name = a.hardware AND d.dtype = a.dtype;
