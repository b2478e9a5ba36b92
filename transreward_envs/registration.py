"""Registration of every id with Gymnasium, from the tables of robots, pairs and methods."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from transreward_envs.errors import unknown
from transreward_envs.pairs import PAIRS, Pair
from transreward_envs.pairs.pair import NAMESPACE, VERSION
from transreward_envs.robots import ROBOTS

COMPENSATED_ENTRY_POINT = "transreward_wrappers.entry_points:make_compensated"

METHODS: dict[str, str | None] = {
    "mixture": None,
    "reward-transfer": "transreward_wrappers.reward_transfer:RewardTransfer",
    "darc": "transreward_wrappers.darc:DARC",
}
"""Where each training method's compensation is, as ``module:class``; the control has none."""


def register_all() -> None:
    """Register the robots, and every pair's domains and training ids; a second call changes nothing."""
    for robot in ROBOTS.values():
        _register(
            f"{NAMESPACE}/{robot.name}-v{VERSION}",
            robot.entry_point,
            max_episode_steps=robot.max_episode_steps,
        )
    for pair in PAIRS.values():
        register_pair(pair)


def register_pair(pair: Pair) -> None:
    """Register a pair's domains and its id for each method."""
    source = pair.spec("source")
    _register(source.id, str(source.entry_point), source.max_episode_steps, source.kwargs)
    target = pair.spec("target")
    kwargs = {"robot": pair.robot, **target.kwargs}
    _register(target.id, "transreward_envs.training.entry_points:make_target", target.max_episode_steps, kwargs)
    for method in METHODS:
        _register_training(pair, method)


def register_method(name: str, compensation: str) -> None:
    """Give every registered pair an id ``TransReward/<pair>-<name>-v0`` for a compensation.

    Args:
        name: The method's part of the id.
        compensation: Where the class is, as ``module:class``.

    Raises:
        ValueError: The name is taken by another compensation.
    """
    if METHODS.get(name, compensation) != compensation or name in ("source", "target", "mixture"):
        raise ValueError(
            f"A method's name must be its own; {name!r} is taken by {METHODS.get(name)!r}. Choose another."
        )
    METHODS[name] = compensation
    for pair in PAIRS.values():
        _register_training(pair, name)


def get_method(name: str) -> str | None:
    """Return where a method's compensation is.

    Raises:
        ValueError: There is no such method.
    """
    if name not in METHODS:
        raise ValueError(unknown("method", name, METHODS))
    return METHODS[name]


def _register_training(pair: Pair, method: str) -> None:
    """Register the training id of a method; its entry point sets the time limit itself."""
    name = pair.name if pair == PAIRS.get(pair.name) else pair.to_json()
    if (compensation := METHODS[method]) is None:
        _register(pair.id(method), "transreward_envs.training.entry_points:make_mixture", None, {"pair": name})
    else:
        kwargs = {"pair": name, "compensation": compensation}
        _register(pair.id(method), COMPENSATED_ENTRY_POINT, None, kwargs)


def _register(id: str, entry_point: str, max_episode_steps: int | None, kwargs: dict[str, Any] | None = None) -> None:
    if id not in gym.registry:
        gym.register(id, entry_point=entry_point, max_episode_steps=max_episode_steps, kwargs=kwargs)
