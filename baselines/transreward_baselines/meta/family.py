"""Families of tasks: what a meta-learner needs to know of them, and those drawn from a suite of sparse rewards.

A family differs as its suite's pairs do: every kind of shift that they scale is scaled by a factor of each task's own,
between the least and the greatest of the pairs, every ratio as likely as any other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transreward_baselines.lanes import Array, Lanes
from transreward_envs import Pair, get_suite
from transreward_envs.batched.domain import BatchedDomain
from transreward_envs.errors import require_count, require_finite, require_positive, unknown
from transreward_envs.robots import get_robot
from transreward_envs.shifts import Shift, SparseReward
from transreward_envs.shifts.base import ScaledShift

NEAR = {"Hopper": 1.5, "Walker2d": 1.0, "HalfCheetah": 2.5, "Ant": 4.0}
"""From the start to where reward begins in episodes shorter than the suite's [m]: within 200 steps, the expert of the
plain robot gets there in over 80 of 100 drawn worlds, and random actions in less than 5."""

Tasks = NDArray[np.int64]
"""Positions of tasks in their family."""


class Family(Protocol):
    """Tasks of the same observations and actions; the first ``train`` are learned from, the others held out."""

    @property
    def train(self) -> int:
        """How many are learned from."""

    @property
    def test(self) -> int:
        """How many are held out."""

    @property
    def horizon(self) -> int:
        """Time limit of an episode [steps]."""

    def lanes(self, tasks: Sequence[int], *, threads: int) -> Lanes:
        """Return lanes, each in the task that is named for it."""

    def rewards(self, tasks: Tasks, observations: Array, actions: Array, next_observations: Array) -> Array:
        """Return what each task would pay for a transition that may be another's, as ``(N,)``.

        Args:
            tasks: Whose rewards, as ``(N,)``.
            observations: As ``(N, observation_size)``.
            actions: In ``[-1, 1]``, as ``(N, action_size)``.
            next_observations: As ``(N, observation_size)``.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseFamily:
    """Tasks of one robot, paid 1 for each step that ends past a distance; made by :func:`draw_family`."""

    robot: str
    settings: tuple[tuple[str, Any], ...]
    """Keywords of the robot in every task."""

    shifts: tuple[tuple[Shift, ...], ...]
    """Of each task, its sparse reward the first of them."""

    train: int
    test: int
    horizon: int

    @property
    def distances(self) -> Array:
        """Where each task's reward begins [m], as ``(tasks,)``."""
        return np.array([shift.distance for shift, *_ in self.shifts if isinstance(shift, SparseReward)])

    def lanes(self, tasks: Sequence[int], *, threads: int) -> Lanes:
        """Return lanes, each in the task that is named for it."""
        envs = BatchedDomain(
            num_envs=len(tasks),
            robot=self.robot,
            lane_shifts=[self.shifts[task] for task in tasks],
            max_episode_steps=self.horizon,
            autoreset_mode="SameStep",
            threads=threads,
            **dict(self.settings),
        )
        return Lanes(envs)

    def rewards(self, tasks: Tasks, observations: Array, actions: Array, next_observations: Array) -> Array:
        """Return 1 where a step ends past the distance of the task that is asked, else 0, as ``(N,)``."""
        return (next_observations[:, 0] >= self.distances[tasks]).astype(np.float64)


def near(suite: str, robot: str, horizon: int) -> float | None:
    """Return where rewards begin in episodes shorter than those of suite ``sparse`` [m]; ``None`` is a suite's own."""
    shorter = suite == "sparse" and robot in NEAR and horizon < get_robot(robot).max_episode_steps
    return NEAR[robot] if shorter else None


def draw_family(
    suite: str,
    robot: str,
    *,
    train: int,
    test: int,
    horizon: int,
    distance: float | None = None,
    distance_spread: float = 1.0,
    stretch: float = 1.0,
    seed: int = 0,
) -> SparseFamily:
    """Return tasks drawn from the pairs that a suite of sparse rewards has of a robot.

    The tasks to learn from do not depend on how many are held out, nor these on how many are learned from.

    Args:
        suite: Name of the suite.
        robot: Name of the robot.
        train: Tasks to learn from.
        test: Tasks held out.
        horizon: Time limit of an episode [steps].
        distance: Where rewards begin [m]; the suite's when left out.
        distance_spread: A task's distance is up to so many times farther or nearer; 1 for the same in all [-].
        stretch: Power to which each factor is raised; 2 squares how far the tasks lie apart [-].
        seed: Of the draws.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown, a number breaks its rule, or the pairs have no sparse reward, or no shift to
            scale.
    """
    for name, least, count in (("train", 2, train), ("test", 1, test), ("horizon", 1, horizon), ("seed", 0, seed)):
        require_count(name, count, at_least=least)
    require_positive("stretch", stretch)
    require_finite("distance_spread", distance_spread)
    if distance_spread < 1.0:
        raise ValueError(f"`distance_spread` must be at least 1, which is none; got {distance_spread!r}.")
    pairs = _pairs(suite, robot)
    sparse = next(shift for shift in pairs[0].source if isinstance(shift, SparseReward))
    if distance is not None:
        sparse = SparseReward(distance=distance)
    laws = _laws(pairs)
    drawn = []
    for split, count in enumerate((train, test)):
        generator = np.random.default_rng([seed, split])
        for _ in range(count):
            away = distance_spread ** float(generator.uniform(-1.0, 1.0))
            reward = dataclasses.replace(sparse, distance=sparse.distance * away)
            logs = [stretch * float(generator.uniform(math.log(low), math.log(high))) for _, low, high in laws]
            scaled = [dataclasses.replace(law[0], scale=math.exp(log)) for law, log in zip(laws, logs, strict=True)]
            drawn.append((reward, *scaled))
    settings = pairs[0].settings
    return SparseFamily(robot=robot, settings=settings, shifts=tuple(drawn), train=train, test=test, horizon=horizon)


def _pairs(suite: str, robot: str) -> list[Pair]:
    """Return the pairs that a suite has of a robot, all of which pay sparsely."""
    found = get_suite(suite)
    if not (pairs := [pair for pair in found if pair.robot == robot]):
        raise ValueError(unknown(f"robot of suite {suite!r}", robot, {pair.robot for pair in found}))
    for pair in pairs:
        if not all(any(isinstance(one, SparseReward) for one in shifts) for shifts in (pair.source, pair.target)):
            raise ValueError(
                f"A family of tasks needs pairs whose domains both have a sparse reward; {pair.name} of suite "
                f"{suite!r} has not. Use the suite 'sparse'."
            )
    return pairs


def _laws(pairs: Sequence[Pair]) -> list[tuple[ScaledShift, float, float]]:
    """Return each kind of shift that pairs scale, with its least and greatest factor."""
    kinds: dict[tuple[str, str | None], list[ScaledShift]] = {}
    for pair in pairs:
        for shift in pair.target:
            if isinstance(shift, ScaledShift):
                kinds.setdefault((shift.kind, shift.part), []).append(shift)
    if not kinds:
        raise ValueError(
            "Tasks of a family differ by shifts that scale something, such as mass or friction; none of the targets of "
            f"{', '.join(pair.name for pair in pairs)} has one. Choose another suite or robot."
        )
    laws = []
    for shifts in kinds.values():
        factors = [shift.scale for shift in shifts]
        laws.append((shifts[0], min(factors), max(factors)))
    return laws
