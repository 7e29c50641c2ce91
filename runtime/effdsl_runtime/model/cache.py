"""What a mixer keeps of the tokens it has seen."""

from __future__ import annotations

from torch import Tensor


class Cache:
    """Named tensors: some grow along dimension 2, token by token; a state of fixed size is replaced.

    Without gradients only: what grows is written in place.
    """

    def __init__(self) -> None:
        self.length = 0
        self._growing: dict[str, GrowingTensor] = {}
        self._states: dict[str, Tensor] = {}

    def extend(self, name: str, x_bgte: Tensor) -> Tensor:
        """Append ``x_bgte`` to what is held as ``name`` and return all of it."""
        if name not in self._growing:
            self._growing[name] = GrowingTensor(x_bgte)
        return self._growing[name].extend(x_bgte)

    def state(self, name: str) -> Tensor | None:
        """What was last held as ``name``; ``None`` before the first token."""
        return self._states.get(name)

    def replace(self, name: str, state: Tensor) -> None:
        """Hold ``state`` as ``name`` in place of what was, in memory of its own."""
        self._states[name] = state.clone()

    def tokens(self, name: str) -> int:
        """How many tokens are held as ``name``."""
        return self._growing[name].tokens if name in self._growing else 0

    def drop_first(self, name: str, tokens: int) -> None:
        """Forget the first ``tokens`` of what is held as ``name``; fewer than one is none."""
        if tokens > 0:
            self._growing[name].drop_first(tokens)

    @property
    def bytes(self) -> int:
        """Bytes of everything held; the room that is kept for more is not counted."""
        held = [*(growing.held for growing in self._growing.values()), *self._states.values()]
        return sum(x.numel() * x.element_size() for x in held)


class GrowingTensor:
    """A tensor that grows at the end of dimension 2 and is dropped from at its start.

    It lies in a wider one. That is made anew, for twice as many tokens as are held, when it is full or
    three quarters of it are unused: so a token costs the same to append however many are held, where
    ``torch.cat`` would copy them all.
    """

    def __init__(self, like_bgte: Tensor) -> None:
        self._room = like_bgte[:, :, :0]
        self._start, self._stop = 0, 0

    @property
    def held(self) -> Tensor:
        """``(b, g, s, e)``, a view that later calls leave as it is."""
        return self._room[:, :, self._start : self._stop]

    @property
    def tokens(self) -> int:
        return self._stop - self._start

    def extend(self, x_bgte: Tensor) -> Tensor:
        """Append ``x_bgte`` and return all."""
        stop = self._stop + x_bgte.shape[2]
        if stop > self._room.shape[2]:
            self._move(2 * (self.tokens + x_bgte.shape[2]))
            stop = self._stop + x_bgte.shape[2]
        self._room[:, :, self._stop : stop] = x_bgte
        self._stop = stop
        return self.held

    def drop_first(self, tokens: int) -> None:
        """Forget the first ``tokens``."""
        self._start += tokens
        if 4 * self.tokens < self._room.shape[2]:
            self._move(2 * self.tokens)

    def _move(self, room: int) -> None:
        held = self.held
        batch, groups, tokens, width = held.shape
        self._room = held.new_empty(batch, groups, room, width)
        self._room[:, :, :tokens] = held
        self._start, self._stop = 0, tokens
