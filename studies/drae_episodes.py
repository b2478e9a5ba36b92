"""Episodes of the policy that acts, and the value of the one that is asked for, of :mod:`studies.drae_error`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from transreward_baselines.lanes import Lanes, make_lanes
from transreward_envs import Pair
from transreward_envs.pairs import Role
from transreward_wrappers.datasets import Dataset, DatasetWriter, Episode
from transreward_wrappers.policies import GaussianPolicy, load_policy
from transreward_wrappers.policies.scaling import scale_actions
from transreward_wrappers.storage import write_json

GAMMA = 0.99
NOISE = {"behaviour": 0.2, "policy": 0.15}
"""Deviations of both policies' actions around those of the source's medium policy [-]."""

STARTS = 100_000
"""Starts of episodes that a seed has for itself, the truth those of 0."""


def policies(pair: Pair) -> dict[str, GaussianPolicy]:
    """Return the policy that acts, and the one whose value is asked for."""
    medium = load_policy(pair, "source", "medium")
    return {
        name: replace(medium, log_std=np.full_like(medium.log_std, np.log(deviation)))
        for name, deviation in NOISE.items()
    }


def lanes_of(pair: Pair, role: Role, count: int) -> Lanes:
    """Return lanes of a domain."""
    return Lanes(make_lanes(pair.spec(role).id, count, threads=1))


def truth_of(pair: Pair, rollouts: int, out: Path) -> tuple[float, float]:
    """Return the policy's discounted value in the target and its standard error, from a file if it is known."""
    path = out / f"truth-{pair.name}-{rollouts}.json"
    if path.exists():
        mean, error = json.loads(path.read_text())
        return mean, error
    policy, generator = policies(pair)["policy"], np.random.default_rng(0)
    returns: list[float] = []
    with closing(lanes_of(pair, "target", min(rollouts, 250))) as lanes:
        while len(returns) < rollouts:
            episodes = first_episodes(policy, lanes, generator, seed=10_000 + len(returns))
            returns += [float(episode.rewards @ GAMMA ** np.arange(len(episode))) for episode in episodes]
    found = float(np.mean(returns)), float(np.std(returns) / len(returns) ** 0.5)
    write_json(path, found)
    return found


def dataset_of(pair: Pair, role: Role, episodes: int, seed: int, out: Path) -> Dataset:
    """Return whole episodes of a domain under the behaviour, from a folder if they are there."""
    directory = out / "data" / f"{pair.name}-{role}-{episodes}-{seed}"
    if directory.exists():
        return Dataset(directory)
    with closing(lanes_of(pair, role, episodes)) as lanes:
        spaces = {"observation_space": lanes.envs.single_observation_space, "action_space": lanes.action_space}
        with DatasetWriter(directory, metadata={"transreward": {"schema": 1}}, **spaces) as writer:
            behaviour, generator = policies(pair)["behaviour"], np.random.default_rng(seed)
            for episode in first_episodes(behaviour, lanes, generator, seed=STARTS * seed):
                writer.add(episode)
    return Dataset(directory)


def first_episodes(
    policy: GaussianPolicy, lanes: Lanes, generator: np.random.Generator, *, seed: int
) -> Iterator[Episode]:
    """Yield the first episode of each lane: of those that end first, there would be too many short ones."""
    observations, space = lanes.reset(seed=seed), lanes.action_space
    stretch = float(np.log((space.high - space.low) / 2.0).sum())
    going, lengths, taken = np.ones(lanes.num_envs, dtype=bool), np.zeros(lanes.num_envs, dtype=int), []
    while going.any():
        actions, log_densities = policy.sample(observations, generator)
        steps = lanes.step(actions)
        taken.append((observations, steps, scale_actions(actions, space), log_densities - stretch))
        lengths += going
        going &= ~steps.done
        observations = steps.observations
    for lane, length in enumerate(lengths):
        mine = taken[:length]
        last = mine[-1][1]
        yield Episode(
            observations=np.stack([*(one[0][lane] for one in mine), last.last_observations[lane]]).astype(np.float64),
            actions=np.stack([one[2][lane] for one in mine]),
            rewards=np.array([one[1].rewards[lane] for one in mine], dtype=np.float64),
            terminated=bool(last.terminated[lane]),
            log_densities=np.array([one[3][lane] for one in mine]),
        )
