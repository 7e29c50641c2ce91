-- bfloat16 is about 6% faster than float16, by Sum AL (Table 9).
FROM less_on_average('precision', 'text', 'sum_al_s', 'bfloat16', 'float16', 6);
