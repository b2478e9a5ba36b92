"""Registration of every id with Gymnasium, from the tables of robots, pairs and methods."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import parse_env_id

from transreward_envs.methods import METHODS, Method, training_methods
from transreward_envs.pairs import PAIRS, ROLES, Pair
from transreward_envs.pairs.pair import NAMESPACE, VERSION
from transreward_envs.robots import ROBOTS

TARGET_ENTRY_POINT = "transreward_envs.training.entry_points:make_target"
TARGET_LANES = "transreward_envs.training.vector_entry_points:make_target_lanes"
MIXTURE_ENTRY_POINT = "transreward_envs.training.entry_points:make_mixture"
MIXTURE_LANES = "transreward_envs.training.vector_entry_points:make_mixture_lanes"
COMPENSATED_LANES = "transreward_wrappers.entry_points:make_compensated_lanes"
COMPENSATED_ENTRY_POINT = "transreward_wrappers.entry_points:make_compensated"


BUILT_IN = tuple(PAIRS.values())
"""The pairs that every process knows by name; ids of others carry the pair itself."""


def register_all() -> None:
    """Register the robots, and every pair's domains and training ids; a second call changes nothing."""
    for robot in ROBOTS.values():
        _register(
            f"{NAMESPACE}/{robot.name}-v{VERSION}",
            entry_point=robot.entry_point,
            vector_entry_point=robot.vector_entry_point,
            max_episode_steps=robot.max_episode_steps,
        )
    for pair in BUILT_IN:
        register_pair(pair)


def register_pair(pair: Pair) -> None:
    """Register a pair's domains and its id for each method that fits; methods that are registered later serve it too.

    Raises:
        ValueError: Another pair has the name.
        gymnasium.error.Error: No id can hold the name.
    """
    parse_env_id(pair.id("source"))  # raises for a name that no id can hold
    if PAIRS.setdefault(pair.name, pair) != pair:
        raise ValueError(f"A pair's name must be its own; {pair.name!r} is taken by another pair. Give it a `name=`.")
    source, target = pair.spec("source"), pair.spec("target")
    _register(
        source.id,
        entry_point=source.entry_point,
        vector_entry_point=source.vector_entry_point,
        max_episode_steps=source.max_episode_steps,
        kwargs=source.kwargs,
    )
    _register(
        target.id,
        entry_point=TARGET_ENTRY_POINT,
        vector_entry_point=TARGET_LANES,
        max_episode_steps=target.max_episode_steps,
        kwargs={"robot": pair.robot, **target.kwargs},
    )
    for name in training_methods(pair):
        _register_training(pair, name)


def register_method(name: str, method: Method) -> None:
    """Give every registered pair that it fits an id ``TransReward/<pair>-<name>-v0``.

    Raises:
        ValueError: The name is taken by another method.
    """
    if not name:
        raise ValueError("A method's name stands in its ids and is not empty; got ''. Choose one.")
    if name in ROLES or METHODS.get(name, method) != method:
        raise ValueError(f"A method's name must be its own; {name!r} is taken. Choose another.")
    parse_env_id(f"{NAMESPACE}/{name}-v{VERSION}")  # raises for a name that no id can hold
    METHODS[name] = method
    for pair in PAIRS.values():
        if method.serves(pair):
            _register_training(pair, name)


def _register_training(pair: Pair, name: str) -> None:
    """Register the training id of a method; its entry point sets the time limit itself.

    Where a method acts in both domains, the domain of an episode depends on all episodes before it, so that a seed
    alone does not give the same episode again: Gymnasium calls that nondeterministic.
    """
    method = METHODS[name]
    kwargs: dict[str, Any] = {"pair": pair.name if pair in BUILT_IN else pair.to_json()}
    if method.compensation is not None:
        kwargs["compensation"] = method.compensation
    _register(
        pair.id(name),
        entry_point=COMPENSATED_ENTRY_POINT if method.compensation else MIXTURE_ENTRY_POINT,
        vector_entry_point=COMPENSATED_LANES if method.compensation else MIXTURE_LANES,
        kwargs=kwargs,
        nondeterministic=method.acts_in == "both",
    )


def _register(id: str, **settings: Any) -> None:
    if id not in gym.registry:
        gym.register(id, **settings)
