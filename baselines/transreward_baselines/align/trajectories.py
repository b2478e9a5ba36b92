"""Trajectories by name: what a policy does, a file, an episode of a dataset, or what a world model imagines."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.vector import SyncVectorEnv

from transreward_envs import Pair
from transreward_envs.errors import unknown
from transreward_envs.pairs import Role
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.alignment import Reference
from transreward_wrappers.datasets import load_dataset
from transreward_wrappers.dtw import DTW, load_reference
from transreward_wrappers.dtw.references import Deterministic, sizes_of
from transreward_wrappers.policies import GaussianPolicy, UniformPolicy, for_sizes, load_domain_policy
from transreward_wrappers.reward_transfer.source_policies import source_expert
from transreward_wrappers.world_models import collect

POLICIES = ("expert", "medium", "random", "source-expert")
"""Policies by name: a domain's own, none, and the source's, which can act in the target too."""

IMAGINED = "imagined"


def load_trajectory(word: str, pair: Pair | None, role: Role, *, seed: int) -> Reference:
    """Return the trajectory that a word means.

    Args:
        word: One of :data:`POLICIES`, the path of a policy's file or of a trajectory's (``.npz``), or a dataset's id or
            folder, with ``#3`` for its episode 3 if it is not the first.
        pair: Whose domain policies act in.
        role: The domain.
        seed: Of the domain.

    Raises:
        ValueError: It means nothing, a policy has no pair to act in, or an episode does not exist.
    """
    if word.endswith(".npz"):
        return load_reference(Path(word))
    if word in POLICIES or word.endswith(".safetensors"):
        if pair is None:
            raise ValueError(f"A policy acts in a domain: name its `--pair`; got {word!r} and no pair.")
        return _acted(word, pair, role, seed)
    name, _, number = word.partition("#")
    try:
        dataset = load_dataset(name)
    except FileNotFoundError as error:
        valid = [*POLICIES, "*.safetensors", "*.npz", "a dataset", *([IMAGINED] if role == "target" else [])]
        raise ValueError(unknown("trajectory", word, valid)) from error
    index = int(number) if number.isdigit() else 0
    if (number and not number.isdigit()) or index >= dataset.total_episodes:
        raise ValueError(f"The episodes of {name} are 0 to {dataset.total_episodes - 1}; got {number!r}.")
    return Reference.from_episode(list(dataset.episodes())[index])


def imagine(pair: Pair, settings: Mapping[str, Any], *, seed: int) -> tuple[Reference, Reference]:
    """Return a piece of a reference, and what a world model of the target imagines in its place.

    Args:
        pair: The pair.
        settings: Of its ``-dtw-v0``.
        seed: Of the piece and the search.
    """
    with closing(gym.make(pair.id("dtw"), **settings)) as env:
        env.reset(seed=seed)
        dtw = env.get_wrapper_attr("compensation")
        assert isinstance(dtw, DTW)
        piece = next(iter(dtw.imagine(1, seed=seed)), None)
    if piece is None:
        raise ValueError(
            f"What is imagined starts from states that the world model knows, and of {pair.name!r} it knows none that "
            f"the references go through, with trust={dtw.trust:g}. Give a larger `trust`, or more `fit_budget`."
        )
    return piece.reference, Reference(observations=piece.found.observations, rewards=piece.found.rewards)


def _acted(word: str, pair: Pair, role: Role, seed: int) -> Reference:
    """Return an episode of a policy in a domain."""
    with closing(pair.make(role, disable_env_checker=True)) as env:
        sizes = sizes_of(env)
        if word == "random":
            behaviour: Any = UniformPolicy(action_size=sizes[1])
        else:
            behaviour = Deterministic(for_sizes(_policy(word, pair, role), pair, *sizes))
        envs = SyncVectorEnv([lambda: env])
        return Reference.from_episode(collect(envs, behaviour, pair.max_episode_steps(role), seed=seed)[0])


def _policy(word: str, pair: Pair, role: Role) -> GaussianPolicy:
    if word.endswith(".safetensors"):
        return GaussianPolicy.load(Path(word))
    if word == "source-expert" or (role, word) == ("source", "expert"):
        return source_expert(pair)
    return load_domain_policy(domain_name(pair, role), word)
