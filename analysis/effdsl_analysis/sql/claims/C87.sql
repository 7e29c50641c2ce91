-- Results cover language models from 0.5B to 72B (Tables 3 to 13).
-- Language models: of text. The 72B of Table 12 is a vision-language model. Other evidence can cover as much, but covering
-- less contradicts nothing: what the paper covers is not its subject.
WITH covered AS (
  SELECT bool_or(printed IS NOT NULL) AS printed, min(size_b) AS least, max(size_b) AS most, max_by(size, size_b) AS largest
  FROM figures WHERE modality = 'text'
)
SELECT 'from 0.5B' AS "case", CASE WHEN 0.5 BETWEEN least AND most THEN true WHEN printed THEN false END AS supports,
       format('the smallest has {:.5g}B', least) AS shown, 'size' AS tests
FROM covered WHERE least IS NOT NULL
UNION ALL BY NAME
SELECT 'to 72B' AS "case", CASE WHEN most >= 72 THEN true WHEN printed THEN false END AS supports,
       format('the largest has {:.5g}B: {}', most, largest)
         || coalesce((SELECT format('; of any kind {:.5g}B: {} ({})', max(size_b), max_by(size, size_b), max_by(modality, size_b))
                      FROM figures WHERE size_b > most), '') AS shown, 'size' AS tests
FROM covered WHERE most IS NOT NULL;
