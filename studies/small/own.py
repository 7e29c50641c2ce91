"""An attention of one's own beside GQA at 1M parameters on Shakespeare, on this machine.

Near sees the nearest tokens only; `effdsl check small/own` holds it to what GQA is held to.
"""

from effdsl import GQA, Attention, AttentionTechnique, Budget, M, Study, identity, technique


@technique("near")
class Near(AttentionTechnique):
    """Multi-head attention to the nearest tokens.

    What it costs is counted on the built model. To say it in closed form, add methods such as
    `parameters(self, shape)`; `effdsl check` compares.
    """

    window: int = identity(default=64)  # tokens, its own among them; part of the result's key

    def module(self, shape, position):
        return attention_module(self, shape, position)


def attention_module(technique, shape, position):
    """The module of one layer. Torch is imported here, so that planning needs none."""
    import torch
    import torch.nn.functional as F
    from effdsl_runtime.model.mixer import Mixer, flat, heads
    from torch import nn

    class Module(Mixer):
        def __init__(self):
            super().__init__()
            width = shape.heads * shape.head_dim
            self.qkv = nn.Linear(shape.hidden_size, 3 * width)
            self.out = nn.Linear(width, shape.hidden_size)
            self.position = position

        def forward(self, x_btd, cache=None):
            """(b, t, d) to the same; with a cache, of the next t tokens."""
            q, k, v = (heads(part, shape.head_dim) for part in self.qkv(x_btd).chunk(3, dim=2))
            start = cache.length if cache else 0
            stop = start + x_btd.shape[1]
            q, k = self.position(q, slice(start, stop)), self.position(k, slice(start, stop))
            if cache is not None:
                k, v = cache.extend("k", k), cache.extend("v", v)
            query, key = torch.arange(start, stop, device=q.device), torch.arange(stop, device=q.device)
            back = query[:, None] - key
            seen = (back >= 0) & (back < technique.window)
            return self.out(flat(F.scaled_dot_product_attention(q, k, v, seen)))

    return Module()


study = Study(
    axis=Attention([GQA, Near, Near(window=16)]),
    scales=[1*M],
    budget=Budget(steps=100, batch_size=4, context_length=128),
    repeats=3,
)
