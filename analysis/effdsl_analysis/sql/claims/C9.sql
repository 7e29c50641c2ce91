-- RoPE has the lowest PPL (Table 4).
FROM extreme('position', 'text', 'ppl', 'rope', 'lowest');
