-- MLA has the lowest PPL at every scale (Table 3).
FROM extreme('attention', 'text', 'ppl', 'mla', 'lowest');
