"""Several actions for each observation, of which critics choose; rows are in the order of ``repeat(1, count, 1)``."""

from __future__ import annotations

import torch


def soft_minimum(values: torch.Tensor, share: float) -> torch.Tensor:
    """Return share min + (1 - share) max over a run's critics, ``(R, K, B)``, as ``(R, B)``."""
    least, most = values.aminmax(dim=1)
    return share * least + (1.0 - share) * most


def best_value(values: torch.Tensor, count: int) -> torch.Tensor:
    """Return the highest of each observation's ``count`` values, ``(R, count B)``, as ``(R, B)``."""
    return torch.unflatten(values, 1, (count, -1)).amax(dim=1)


def best_action(actions: torch.Tensor, values: torch.Tensor, count: int) -> torch.Tensor:
    """Return of each observation's ``count`` actions that of the highest value, as ``(R, B, action_size)``.

    Args:
        actions: As ``(R, count B, action_size)``.
        values: As ``(R, count B)``.
        count: Actions for each observation.
    """
    best = torch.unflatten(values, 1, (count, -1)).argmax(dim=1, keepdim=True)[..., None]
    return torch.unflatten(actions, 1, (count, -1)).take_along_dim(best, dim=1)[:, 0]
