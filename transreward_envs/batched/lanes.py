"""What a lane keeps of its own: a domain, or its share of one, and its random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.robots import get_robot
from transreward_envs.robots.domain import Domain, Observation
from transreward_envs.shifts import Shift, ShiftsLike, parse_shifts


class Lane:
    """One lane: the domain that starts its episodes and, where shifts act at each step, its control and observation.

    Lanes whose steps are the robot's own share one domain, with generators of their own, so that thousands of lanes
    need one model.
    """

    def __init__(self, domain: Domain) -> None:
        assert domain.dynamics is not None
        self.domain = domain
        self.plain = domain.dynamics.plain
        self.varies = domain.dynamics.varies
        self.changes = domain.dynamics.changes
        self._generator: np.random.Generator | None = None
        self._seed: int | None = None

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        """Start an episode in the domain's simulator, with this lane's random numbers."""
        domain = self.domain
        if self.plain:
            domain._np_random, domain._np_random_seed = self._generator, self._seed
        started = domain.reset(seed=seed, options=options)
        if self.plain:
            self._generator, self._seed = domain._np_random, domain._np_random_seed
        return started

    def close(self) -> None:
        """Close the domain."""
        self.domain.close()

    @property
    def generator(self) -> np.random.Generator | None:
        """The lane's generator, once it was seeded or reset."""
        return self._generator if self.plain else self.domain._np_random

    @property
    def seed(self) -> int | None:
        """What the lane was seeded with."""
        return self._seed if self.plain else self.domain._np_random_seed

    @property
    def repeat(self) -> int:
        """Control steps that an action lasts."""
        return 1 if self.plain else self.domain.control.repeat

    def executed(self, action: NDArray[Any]) -> NDArray[np.float64]:
        """Return what reaches the actuators for an action, now that a step begins."""
        assert self.domain.dynamics is not None
        self.domain.dynamics.start_step()
        return self.domain.control.control(action)

    def seen(self, observation: Observation) -> Observation:
        """Return what the agent sees of the robot's own observation."""
        return self.domain._observed(observation)

    def values(self) -> dict[str, float]:
        """Return the values of varying shifts, for ``info``."""
        assert self.domain.dynamics is not None
        return self.domain.dynamics.info()


class TurningLane(Lane):
    """A lane that acts in one of several domains at a time; it may enter another when an episode starts.

    A seed reaches each domain at its next episode.

    Args:
        lanes: A lane a domain, under the names of the domains; they have one observation and one action space.
    """

    def __init__(self, lanes: Mapping[str, Lane]) -> None:
        self._lanes = lanes
        self.domains = {name: lane.domain for name, lane in lanes.items()}
        self._pending_seeds: dict[str, int] = {}
        self.plain = all(lane.plain for lane in lanes.values())
        self.varies = any(lane.varies for lane in lanes.values())
        self.changes = any(lane.changes for lane in lanes.values())
        self.enter(next(iter(lanes)))

    def enter(self, name: str) -> None:
        """Act in a domain from the next episode on."""
        self.name, self._lane = name, self._lanes[name]
        self.domain = self._lane.domain

    def reset(self, seed: int | None, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        """Start an episode in the domain that was entered."""
        if seed is not None:
            self._pending_seeds = dict.fromkeys(self._lanes, seed)
        return self._lane.reset(self._pending_seeds.pop(self.name, None), options)

    def close(self) -> None:
        """Close all its domains."""
        for domain in self.domains.values():
            domain.close()

    @property
    def generator(self) -> np.random.Generator | None:
        """The generator of the domain that the lane is in."""
        return self._lane.generator

    @property
    def seed(self) -> int | None:
        """What that domain was seeded with."""
        return self._lane.seed


def make_lanes(robot: str, shifts: Sequence[ShiftsLike], keywords: Mapping[str, Any]) -> list[Lane]:
    """Return lanes with the given shifts; those that can share a domain do."""
    cls = get_robot(robot).domain()
    shared: dict[tuple[Shift, ...], Domain] = {}
    lanes = []
    for given in shifts:
        parsed = parse_shifts(given)
        lane = Lane(shared[parsed] if parsed in shared else cls(shift=parsed, **keywords))
        if lane.plain:
            shared[parsed] = lane.domain
        lanes.append(lane)
    return lanes
