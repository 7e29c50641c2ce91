"""The paper's depth against width (section 2.2): six aspect ratios at 0.5B, 1.5B and 3B on 48 GH200.

The paper says that ratios within 20% of the best give the same loss and prints no table; 64 is the usual
ratio (Kaplan et al. 2020), 52 and 76 lie 20% beside it.
"""

from effdsl import GH200, Aspect, AspectRatio, B, Budget, FineWebEdu, Study

study = Study(
    axis=Aspect([AspectRatio(ratio) for ratio in (16, 32, 52, 64, 76, 128)]),
    scales=[0.5*B, 1.5*B, 3*B],
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
