"""What may be asked of a world model."""

from __future__ import annotations

import torch

from transreward_wrappers.world_models.episodes import EpisodeStore
from transreward_wrappers.world_models.protocol import Values


def require_domain(store: EpisodeStore, observation_size: int, action_size: int) -> None:
    """Check that episodes have the sizes of a model.

    Raises:
        ValueError: They have others.
    """
    wanted, found = (observation_size, action_size), (store.observation_size, store.action_size)
    if wanted != found:
        raise ValueError(
            f"A world model of observations and actions of {wanted} numbers needs episodes of these sizes; got "
            f"{found}. Make a model of the episodes' sizes."
        )


def require_runs(
    observations: Values, actions: Values | None, observation_size: int, action_size: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return runs of observations and the actions between them, as float32.

    Raises:
        ValueError: Shapes do not fit together, or values are not finite.
    """
    seen = torch.as_tensor(observations).float()
    taken = None if actions is None else torch.as_tensor(actions).float()
    if seen.ndim != 3 or seen.shape[1] == 0 or seen.shape[2] != observation_size:
        raise ValueError(
            f"Observations must be (B, L, {observation_size}) with L > 0; got {tuple(seen.shape)}. One observation is "
            "observation[None, None]."
        )
    if taken is not None and taken.shape != (len(seen), seen.shape[1] - 1, action_size):
        raise ValueError(
            f"There is one action between each two observations: actions must be "
            f"{(len(seen), seen.shape[1] - 1, action_size)}; got {tuple(taken.shape)}."
        )
    if not (bool(seen.isfinite().all()) and (taken is None or bool(taken.isfinite().all()))):
        raise ValueError("Observations and actions must be finite; some of these are NaN or infinite.")
    return seen, taken


def require_steps(states: torch.Tensor, actions: torch.Tensor, state_size: int, action_size: int) -> int:
    """Return how many steps ahead are asked for.

    Raises:
        ValueError: Shapes do not fit together.
    """
    if actions.ndim != 3 or actions.shape[1] == 0 or actions.shape[2] != action_size:
        raise ValueError(f"Actions must be (N, H, {action_size}) with H > 0; got {tuple(actions.shape)}.")
    if states.ndim != 2 or states.shape[1] != state_size or len(states) not in (1, len(actions)):
        raise ValueError(
            f"States must be (1, {state_size}) or one for each row of actions, ({len(actions)}, {state_size}); got "
            f"{tuple(states.shape)}. Take them from `infer`."
        )
    return actions.shape[1]
