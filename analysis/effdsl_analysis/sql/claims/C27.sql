-- The transformer has the lowest PPL at every scale (Table 6).
FROM extreme('backbone', 'text', 'ppl', 'qwen2.5', 'lowest');
