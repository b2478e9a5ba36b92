"""Measures a world model's open-loop error on data that were held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from transreward_wrappers.world_models.report import STEPS, Errors
from transreward_wrappers.world_models.scales import Scales
from transreward_wrappers.world_models.windows import Stretches, Windows

MOST_WINDOWS = 500
"""Held-out windows of a kind that are looked at, evenly spread over all."""

FEWEST_WINDOWS = 8
"""Of fewer windows nothing is said."""

Imagine = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""From observations ``(N, C + 1, O)`` and actions ``(N, C + H, A)`` to imagined ones ``(N, H, O)`` and their spread."""


def judge(
    imagine: Imagine, scales: Scales, held: Mapping[str, Stretches], *, context: int
) -> tuple[dict[str, Errors], tuple[float, ...]]:
    """Return the errors on each kind of data, and the mean spread at each of :data:`STEPS` that any kind reaches.

    Args:
        imagine: What a model makes of the beginning of a window and all its actions.
        scales: In which errors are measured.
        held: Held-out data by kind.
        context: Steps that the model sees before it predicts.
    """
    errors: dict[str, Errors] = {}
    spreads: list[torch.Tensor] = []  # by kind, and NaN at the steps that none of its windows reaches
    for kind, data in held.items():
        windows = _some_windows(data, context + STEPS[-1])
        imagined, spread = imagine(windows.observations[:, : context + 1], windows.actions)
        there = windows.mask[:, context:]
        errors[kind] = _errors(scales, windows.observations[:, context:], imagined, there)
        if errors[kind].model:
            spreads.append((spread * there).sum(dim=0) / there.sum(dim=0))
        else:
            del errors[kind]
    if not errors:
        return {}, ()
    reached = max(len(found.model) for found in errors.values())
    mean = torch.stack(spreads).nanmean(dim=0)
    return errors, tuple(float(mean[step - 1]) for step in STEPS[:reached])


def residual(imagine: Imagine, held: Mapping[str, Stretches], *, context: int) -> torch.Tensor:
    """Return the root mean squared error after one step, in the observation's own units, as ``(O,)``."""
    squares = []
    for data in held.values():
        windows = _some_windows(data, context + 1)
        whole = windows.mask[:, -1] > 0.0
        if bool(whole.any()):
            imagined, _ = imagine(windows.observations[whole, : context + 1], windows.actions[whole])
            squares.append((imagined[:, 0] - windows.observations[whole, -1]).square())
    return torch.cat(squares).mean(dim=0).sqrt() if squares else torch.zeros(())


def _some_windows(data: Stretches, length: int) -> Windows:
    starts = data.starts(length)
    if len(starts) > MOST_WINDOWS:
        starts = starts[torch.linspace(0, len(starts) - 1, MOST_WINDOWS).long()]
    return data.windows(starts, length)


def _errors(scales: Scales, seen: torch.Tensor, imagined: torch.Tensor, there: torch.Tensor) -> Errors:
    """Return errors, where ``seen`` is ``(N, H + 1, O)``, ``imagined`` ``(N, H, O)`` and ``there`` ``(N, H)``."""
    truth, predicted = scales.normalise(seen), scales.normalise(imagined)
    model = (predicted - truth[:, 1:]).square().mean(dim=-1)
    persistence = (truth[:, :1] - truth[:, 1:]).square().mean(dim=-1)
    counts = [int(there[:, step - 1].sum()) for step in STEPS]
    reached = [step for step, count in zip(STEPS, counts, strict=True) if count >= FEWEST_WINDOWS]

    def mean(values: torch.Tensor) -> tuple[float, ...]:
        return tuple(float((values * there)[:, step - 1].sum() / there[:, step - 1].sum()) for step in reached)

    return Errors(model=mean(model), persistence=mean(persistence), windows=tuple(counts[: len(reached)]))
