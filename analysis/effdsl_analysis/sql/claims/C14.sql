-- MoE with experts of 0.5B has a lower PPL than dense 1.5B (Table 5).
FROM pairwise('feed_forward', 'text', 'ppl', 'moe', 'lower', 'dense') WHERE billions = 0.5 AND other_billions = 1.5;
