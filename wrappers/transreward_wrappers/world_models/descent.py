"""Gradient steps on windows of episodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from tqdm import tqdm

from transreward_wrappers.world_models.windows import Stretches, Windows

MOST_GRADIENT = 10.0
"""Longer gradients are cut to this length."""

Loss = Callable[[Windows, torch.Generator], torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Gradient steps on windows of one length."""

    updates: int
    """How many."""

    length: int
    """Steps of a window."""


def descend(
    network: nn.Module,
    loss: Loss,
    data: Stretches,
    stages: Sequence[Stage],
    *,
    batch: tuple[int, ...],
    learning_rate: float,
    generator: torch.Generator,
    name: str,
) -> None:
    """Take the gradient steps of all stages, with a progress bar; the learning rate falls linearly to a twentieth.

    Args:
        network: Whose weights move.
        loss: Of windows of shape ``batch``.
        data: Where windows are drawn from.
        stages: One after the other.
        batch: Shape of a batch.
        learning_rate: Adam's, at first.
        generator: Of windows, and of what the loss draws.
        name: What is fitted, for the bar and for errors.

    Raises:
        FloatingPointError: The loss is not finite.
    """
    total = sum(stage.updates for stage in stages)
    parameters = list(network.parameters())
    adam = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.05, max(total, 1))
    drawn = _draw(data, stages, batch, generator)
    bar = tqdm(drawn, total=total, desc=f"fitting {name}", leave=False, disable=None)
    for update, windows in enumerate(bar):
        value = loss(windows, generator)
        if not math.isfinite(value.item()):
            raise FloatingPointError(
                f"The loss of {name} must be finite; it is {value.item()} at update {update}. Lower `learning_rate`, "
                "or look for outliers in the data."
            )
        adam.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, MOST_GRADIENT)
        adam.step()
        schedule.step()
        if update % 100 == 0:
            bar.set_postfix(loss=f"{value.item():.3g}")


def _draw(
    data: Stretches, stages: Sequence[Stage], batch: tuple[int, ...], generator: torch.Generator
) -> Iterator[Windows]:
    """Yield a batch for every gradient step."""
    for stage in stages:
        starts = data.starts(stage.length)
        for _ in range(stage.updates):
            yield data.windows(starts[torch.randint(len(starts), batch, generator=generator)], stage.length)
