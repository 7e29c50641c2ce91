-- Full fine-tuning has the lowest loss and the highest AMU for both models (Table 13).
SELECT * REPLACE ('loss, ' || size AS "case")
FROM extreme('fine_tuning', 'image and video', 'loss', 'full', 'lowest')
UNION ALL
SELECT * REPLACE ('AMU, ' || size AS "case")
FROM extreme('fine_tuning', 'image and video', 'amu_gb', 'full', 'highest');
