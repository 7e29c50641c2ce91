-- bfloat16 has the highest mean score (Table 9).
-- "Typically", as the text has it, asks for more than half of the cases.
FROM extreme('precision', 'text', 'avg_perf', 'bfloat16', 'highest');
