"""Random numbers of many runs: each run's are those that it has alone, and a resumed run's those it would have had."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import torch

BLOCK = 64
"""Draws that are made at once, for each run and purpose."""

LARGE = 2**16
"""Numbers of a draw beyond which each is made by itself: a block of them would be a burden."""


def generator_of(seed: int, name: str, block: int) -> torch.Generator:
    """Return the generator of a run's numbers for one purpose."""
    digest = hashlib.sha256(f"{seed}/{name}/{block}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


class Streams:
    """Draws for each run, for each purpose from a stream of its own.

    Args:
        seeds: Of the runs, R of them.
        device: Where the numbers are needed.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self._seeds, self._device = tuple(seeds), device
        self._blocks: dict[str, torch.Tensor] = {}
        self.drawn: dict[str, int] = {}
        """Draws so far of each purpose; to be put back when a run resumes."""

    def normal(self, name: str, *shape: int) -> torch.Tensor:
        """Return standard normal numbers, as ``(R, *shape)``."""
        drawn: torch.Tensor = self._next(name, shape, torch.randn)
        return drawn

    def uniform(self, name: str, *shape: int) -> torch.Tensor:
        """Return numbers uniform in [0, 1), as ``(R, *shape)``."""
        drawn: torch.Tensor = self._next(name, shape, torch.rand)
        return drawn

    def restore(self, drawn: dict[str, int]) -> None:
        """Go on after so many draws of each purpose."""
        self.drawn, self._blocks = dict(drawn), {}

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # a generator's state is no part of a compiled graph
    def _next(self, name: str, shape: tuple[int, ...], draw: Callable[..., torch.Tensor]) -> torch.Tensor:
        """Return the next draw of a purpose; each shape of one has a stream of its own."""
        name = f"{name} {'x'.join(map(str, shape))}"
        count = self.drawn.get(name, 0)
        size = BLOCK if math.prod(shape) <= LARGE else 1
        block, position = divmod(count, size)
        if position == 0 or name not in self._blocks:
            parts = [draw(size, *shape, generator=generator_of(seed, name, block + 1)) for seed in self._seeds]
            self._blocks[name] = torch.stack(parts, dim=1).to(self._device)
        self.drawn[name] = count + 1
        return self._blocks[name][position]
