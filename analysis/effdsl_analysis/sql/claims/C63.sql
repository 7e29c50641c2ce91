-- bfloat16 has the highest mean score (Table 9).
-- The statement needs every model, and so does the verdict; for the text's "typically" see how many of them support it.
FROM extreme('precision', 'text', 'avg_perf', 'bfloat16', 'highest');
