"""Collects episodes from many lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transreward_baselines.lanes import Lanes
from transreward_wrappers.datasets import Episode
from transreward_wrappers.policies import scale_actions

BLOCK = 256
"""Steps of each lane that are kept in memory before they are given away."""

LANES = 64


class Behaviour(Protocol):
    """A policy whose actions have a density."""

    def sample(
        self, observations: NDArray[Any], generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return actions in ``[-1, 1]`` and their log-densities."""


@dataclass(kw_only=True, slots=True)
class Block:
    """``T`` steps of all ``B`` lanes, or of one, without its axis."""

    observations: NDArray[np.float64]
    """As ``(T, B, observation_size)``."""

    last_observations: NDArray[np.float64]
    """What the actions led to, as ``(T, B, observation_size)``."""

    actions: NDArray[np.float32]
    """As the domain takes them, as ``(T, B, action_size)``."""

    log_densities: NDArray[np.float64]
    """Of the actions as the domain takes them [nats], as ``(T, B)``."""

    rewards: NDArray[np.float64]
    """As ``(T, B)``."""

    terminated: NDArray[np.bool_]
    """As ``(T, B)``."""

    done: NDArray[np.bool_]
    """As ``(T, B)``."""

    failed: NDArray[np.bool_]
    """As ``(T, B)``."""

    def of_lane(self, lane: int, start: int, stop: int) -> Block:
        """Return the steps of one lane from ``start`` up to ``stop``."""
        return Block(**{field.name: getattr(self, field.name)[start:stop, lane] for field in fields(self)})


def lanes_for(size: int, policies: int, time_limit: int) -> int:
    """Return the number of lanes to collect with: under each policy, each has an episode's worth of steps at least.

    Raises:
        ValueError: Not even one has.
    """
    if size < policies * time_limit:
        raise ValueError(
            f"A dataset must be at least as long as an episode, {time_limit} steps"
            f"{f', for each of its {policies} policies' if policies > 1 else ''}; got {size} transitions. Give it "
            f"{policies * time_limit} or more."
        )
    return min(size // policies // time_limit, LANES)


def collect(policy: Behaviour, lanes: Lanes, size: int, *, seed: int, index: int = 0) -> Iterator[Episode]:
    """Yield episodes of ``size`` steps in all, in the order in which they end.

    Every lane takes its share of steps, as long as its episodes may be, and the last one of each is cut. Lanes that
    stopped at a number of episodes would have more of the short ones. A step at which the physics failed is left out,
    so that there is one fewer.

    Args:
        policy: What acts.
        lanes: Where; they start again at the very step at which an episode ends.
        size: Steps in all.
        seed: Of the lanes and of the actions.
        index: Of the policy, for the episodes to tell.
    """
    generator = np.random.default_rng([seed, 1])
    observations = lanes.reset(seed=seed)
    share, surplus = divmod(size, lanes.num_envs)
    left = np.full(lanes.num_envs, share) + (np.arange(lanes.num_envs) < surplus)
    begun: list[list[Block]] = [[] for _ in range(lanes.num_envs)]
    while (count := min(BLOCK, int(left.max()))) > 0:
        block, observations = _take(policy, lanes, observations, generator, count)
        since = [0] * lanes.num_envs
        for t, lane in _ends(block, left):
            begun[lane].append(block.of_lane(lane, since[lane], t + 1))
            yield from _episode(begun[lane], index)
            begun[lane], since[lane] = [], t + 1
        left = np.maximum(left - count, 0)
        for lane in map(int, np.flatnonzero(left)):
            begun[lane].append(block.of_lane(lane, since[lane], count))


def _ends(block: Block, left: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the steps and lanes at which episodes end or are cut, in order."""
    count = len(block.done)
    ends = {(int(t), int(lane)) for t, lane in np.argwhere(block.done) if t < left[lane]}
    cuts = {(int(steps) - 1, lane) for lane, steps in enumerate(left) if 0 < steps <= count}
    return sorted(ends | cuts)


def _episode(pieces: list[Block], index: int) -> Iterator[Episode]:
    """Yield the episode that pieces of one lane make up; nothing if no step of it is left."""
    kept = [piece for piece in pieces if len(piece.rewards)]
    failed = len(kept) > 0 and bool(kept[-1].failed[-1])
    steps = sum(len(piece.rewards) for piece in kept) - failed
    if steps == 0:
        return
    observations = np.concatenate([*(piece.observations for piece in kept), kept[-1].last_observations[-1:]])
    yield Episode(
        observations=observations[: steps + 1],
        actions=np.concatenate([piece.actions for piece in kept])[:steps],
        rewards=np.concatenate([piece.rewards for piece in kept])[:steps],
        terminated=bool(kept[-1].terminated[-1]) and not failed,
        log_densities=np.concatenate([piece.log_densities for piece in kept])[:steps],
        policy=index,
    )


def _take(
    policy: Behaviour, lanes: Lanes, observations: NDArray[np.float64], generator: np.random.Generator, count: int
) -> tuple[Block, NDArray[np.float64]]:
    """Take ``count`` steps in all lanes; return them, and the observations to go on from."""
    space = lanes.action_space
    half = float(np.log((space.high - space.low) / 2.0).sum())
    before, taken, densities, steps = [], [], [], []
    for _ in range(count):
        actions, log_densities = policy.sample(observations, generator)
        before.append(observations)
        taken.append(scale_actions(actions, space))
        densities.append(log_densities - half)
        steps.append(lanes.step(actions))
        observations = steps[-1].observations
    told = {
        name: np.stack([getattr(step, name) for step in steps])
        for name in ("last_observations", "rewards", "terminated", "done", "failed")
    }
    return Block(
        observations=np.stack(before), actions=np.stack(taken), log_densities=np.stack(densities), **told
    ), observations
