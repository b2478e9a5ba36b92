"""Robots: Gymnasium's v5 MuJoCo tasks, and those of two extras, by name. Importing this loads no simulator."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transreward_envs.errors import unknown

if TYPE_CHECKING:
    from transreward_envs.robots.domain import Domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Robot:
    """A task whose domains the suite can shift."""

    name: str
    """Name in ids."""

    entry_point: str
    """Where its :class:`~transreward_envs.robots.domain.Domain` is, as ``module:class``."""

    stock_id: str | None
    """Gymnasium's id of the unshifted task; none for a robot of this suite's own."""

    max_episode_steps: int = 1000
    """Time limit [control steps]."""

    extra: str | None = None
    """The extra with the packages that it needs; none for what every installation has."""

    def domain(self) -> type[Domain]:
        """Return the class of the robot's domains; it loads the simulator.

        Raises:
            gymnasium.error.DependencyNotInstalled: It needs an extra that is not there.
        """
        module, name = self.entry_point.split(":")
        cls: type[Domain] = getattr(importlib.import_module(module), name)
        return cls

    @property
    def vector_entry_point(self) -> str | None:
        """Where its lanes are made; none for those of extras, which step one by one."""
        return None if self.extra else f"transreward_envs.batched.entry_points:{self.name}"


def _robot(name: str, module: str, *, max_episode_steps: int = 1000) -> Robot:
    return Robot(
        name=name,
        entry_point=f"transreward_envs.robots.{module}:{name}",
        stock_id=f"{name}-v5",
        max_episode_steps=max_episode_steps,
    )


def _extra(extra: str, name: str, module: str, max_episode_steps: int, stock_id: str | None = None) -> Robot:
    return Robot(
        name=name,
        entry_point=f"transreward_envs.robots.{module}:{name}",
        stock_id=stock_id,
        max_episode_steps=max_episode_steps,
        extra=extra,
    )


ROBOTS: dict[str, Robot] = {
    robot.name: robot
    for robot in (
        _robot("Hopper", "hopper"),
        _robot("Walker2d", "walker2d"),
        _robot("HalfCheetah", "half_cheetah"),
        _robot("Ant", "ant"),
        _robot("Humanoid", "humanoid"),
        _robot("Swimmer", "swimmer"),
        _robot("Reacher", "reacher", max_episode_steps=50),
        _robot("Pusher", "pusher", max_episode_steps=100),
        _robot("InvertedPendulum", "inverted_pendulum"),
        _robot("InvertedDoublePendulum", "inverted_double_pendulum"),
        Robot(
            name="Reacher7",
            entry_point="transreward_envs.robots.reacher7:Reacher7",
            stock_id=None,
            max_episode_steps=100,
        ),
        _extra("robotics", "AntMaze", "ant_maze", 700),
        _extra("robotics", "AdroitPen", "adroit", 200, "AdroitHandPen-v1"),
        _extra("robotics", "AdroitDoor", "adroit", 200, "AdroitHandDoor-v1"),
        _extra("robotics", "AdroitHammer", "adroit", 200, "AdroitHandHammer-v1"),
        _extra("robotics", "AdroitRelocate", "adroit", 200, "AdroitHandRelocate-v1"),
        _extra("dmc", "CheetahRun", "dmc", 1000),
        _extra("dmc", "WalkerWalk", "dmc", 1000),
        _extra("dmc", "BallInCupCatch", "dmc", 1000),
    )
}


def get_robot(name: str) -> Robot:
    """Return the robot of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in ROBOTS:
        raise ValueError(unknown("robot", name, ROBOTS))
    return ROBOTS[name]
