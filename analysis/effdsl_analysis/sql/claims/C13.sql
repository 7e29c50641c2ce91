-- MoE with experts of 1.5B has a lower PPL than dense 1.5B and dense 3B (Table 5).
FROM pairwise('feed_forward', 'text', 'ppl', 'moe', 'lower', 'dense') WHERE billions = 1.5 AND other_billions IN (1.5, 3);
