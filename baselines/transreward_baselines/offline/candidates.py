"""Several actions for each observation, of which critics choose."""

from __future__ import annotations

import torch


def repeated(observations: torch.Tensor, count: int) -> torch.Tensor:
    """Return each observation ``count`` times in a row, as ``(R, B count, observation_size)``."""
    return observations.repeat_interleave(count, dim=1)


def soft_minimum(values: torch.Tensor, share: float) -> torch.Tensor:
    """Return share min + (1 - share) max over a run's critics, ``(R, K, B)``, as ``(R, B)``."""
    least, most = values.aminmax(dim=1)
    return share * least + (1.0 - share) * most


def best_value(values: torch.Tensor, count: int) -> torch.Tensor:
    """Return the highest of each observation's ``count`` values, ``(R, B count)``, as ``(R, B)``."""
    return values.unflatten(1, (-1, count)).amax(dim=2)


def best_action(actions: torch.Tensor, values: torch.Tensor, count: int) -> torch.Tensor:
    """Return of each observation's ``count`` actions that of the highest value, as ``(R, B, action_size)``.

    Args:
        actions: As ``(R, B count, action_size)``.
        values: As ``(R, B count)``.
        count: Actions for each observation.
    """
    best = values.unflatten(1, (-1, count)).argmax(dim=2)[..., None, None]
    return actions.unflatten(1, (-1, count)).take_along_dim(best, dim=2)[:, :, 0]
