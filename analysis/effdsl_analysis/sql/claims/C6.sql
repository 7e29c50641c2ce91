-- NSA has the lowest AEC (average power) at every scale; 594.23 W is the minimum (Table 3).
-- The number is a case of its own, which only sizes of 0.5B to 3B can say.
SELECT *, 'direction' AS tests FROM extreme('attention', 'text', 'aec_w', 'nsa', 'lowest')
UNION ALL BY NAME FROM lowest_number('attention', 'text', 'aec_w', 594.23, 0.01);
