-- Both MoE models have a higher TT than both dense models (Table 5).
-- Dense models from one expert's size to six times that, as in the table.
FROM pairwise('feed_forward', 'text', 'tt_tokens_per_param_s', 'moe', 'higher', 'dense')
WHERE other_billions BETWEEN billions AND 6 * billions;
