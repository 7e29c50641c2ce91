"""The paper's Table 5: dense 1.5B and 3B against mixtures of 8 experts, "0.5Bx8" and "1.5Bx8", of which
each token meets 2, on 48 GH200, 350B tokens of FineWeb-Edu.

A mixture's scale names its dense base: each expert is as wide as that base's feed-forward layer, so that
0.5Bx8 has 2.7B parameters, 0.8B of them active, and 1.5Bx8 9.6B and 2.7B. Budget as in `attention.py`.
The paper does not say how it balanced its experts; the weight of the load-balancing loss is ours.
"""

from effdsl import GH200, B, Budget, FeedForward, FineWebEdu, MoE, Study, SwiGLU

TABLE = {SwiGLU(): (1.5*B, 3*B), MoE(experts=8, top_k=2): (0.5*B, 1.5*B)}

study = Study(
    axis=FeedForward([SwiGLU, MoE(experts=8, top_k=2)]),
    scales=[0.5*B, 1.5*B, 3*B],
    keep=lambda cell: cell.scale in TABLE[cell.feed_forward],
    hw=48 * GH200,
    data=FineWebEdu(),
    budget=Budget(tokens=350*B, context_length=8192, batch_size=2112),
    per_scale={
        0.5*B: Budget(micro_batch_size=4),
        1.5*B: Budget(micro_batch_size=2),
        3*B: Budget(micro_batch_size=1),
    },
    repeats=1,
)
