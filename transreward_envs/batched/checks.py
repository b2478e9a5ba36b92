"""What lanes are given, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from transreward_envs.errors import require_count, unknown


def checked_actions(given: Any, shape: tuple[int, ...] | None) -> NDArray[Any]:
    """Return actions as an array.

    Raises:
        ValueError: They have another shape, are no floating-point numbers, or are not finite.
    """
    actions: NDArray[Any] = np.asarray(given)
    if actions.shape != shape:
        raise ValueError(f"Actions must have the shape {shape}; got {actions.shape}.")
    if actions.dtype.kind != "f":
        raise ValueError(f"Actions must be floating-point numbers; got {actions.dtype}.")
    if np.count_nonzero(np.isfinite(actions)) < actions.size:
        bad = np.flatnonzero(~np.isfinite(actions).all(axis=1)).tolist()
        raise ValueError(f"Actions must be finite; got NaN or infinity in lanes {bad}.")
    return actions


def checked_mode(given: str | AutoresetMode) -> AutoresetMode:
    """Return when a lane that is done starts again.

    Raises:
        ValueError: Nothing is called so.
    """
    valid = {mode.value: mode for mode in AutoresetMode}
    if given not in (*valid, *AutoresetMode):
        raise ValueError(unknown("autoreset mode", given, valid))
    return AutoresetMode(given)


def lane_seeds(given: int | Sequence[int | None] | NDArray[np.integer[Any]] | None, count: int) -> list[int | None]:
    """Return a seed a lane: one and those that follow it, or as many as were given.

    Raises:
        ValueError: There are more or fewer than lanes, or one is no count.
        TypeError: One is no integer.
    """
    if given is None:
        return [None] * count
    seeds: list[int | None]
    if isinstance(given, (int, np.integer)):
        seeds = [int(given) + lane for lane in range(count)]
    else:
        seeds = [int(seed) if isinstance(seed, np.integer) else seed for seed in given]
    if len(seeds) != count:
        raise ValueError(f"Seeds are one a lane; got {len(seeds)} for {count} lanes.")
    for seed in seeds:
        if seed is not None:
            require_count("seed", seed)
    return seeds


def require_mask(name: str, mask: Any, count: int) -> None:
    """Raise ``ValueError`` unless a mask is an array of a boolean a lane."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,):
        raise ValueError(f"`{name}` must be an array of {count} booleans; got {mask!r}.")


def lanes_to_reset(options: dict[str, Any] | None, count: int) -> tuple[NDArray[Any], dict[str, Any] | None]:
    """Return the lanes that a reset starts, and the options that are left for them.

    Raises:
        ValueError: ``reset_mask`` is no array of a boolean a lane, or names no lane.
    """
    if options is None or "reset_mask" not in options:
        return np.arange(count), options
    rest = {name: value for name, value in options.items() if name != "reset_mask"}
    mask = options["reset_mask"]
    require_mask("reset_mask", mask, count)
    if not mask.any():
        raise ValueError("`reset_mask` must name at least one lane; got none.")
    return np.flatnonzero(mask), rest


def episode_limit(max_episode_steps: int | None) -> int | None:
    """Return the time limit [agent steps] that Gymnasium's keyword asks for: none where it is ``None`` or -1.

    Raises:
        TypeError: It is no integer.
        ValueError: It is another one below 1.
    """
    if max_episode_steps is None or max_episode_steps == -1:
        return None
    require_count("max_episode_steps", max_episode_steps, at_least=1)
    return max_episode_steps
