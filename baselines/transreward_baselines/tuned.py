"""Settings of scripts that were found for one robot, used where a command line does not say otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import tyro

from transreward_baselines.run_args import RunArgs
from transreward_envs import ROBOTS

T = TypeVar("T", bound=RunArgs)
Tuned = Mapping[str, Mapping[str, Any]]
"""Settings by robot."""


def robot_of(env_id: str) -> str | None:
    """Return the name of the robot that an id is of, one of Gymnasium's too; none where there is no such robot."""
    name = env_id.rpartition(":")[2].rpartition("/")[2].partition("-")[0]
    return name if name in ROBOTS else None


def tuned(settings: Tuned, env_id: str) -> dict[str, Any]:
    """Return the settings of an id's robot that differ from a script's defaults; for most there are none."""
    return dict(settings.get(robot_of(env_id) or "", {}))


def parse(kind: type[T], settings: Tuned, args: Sequence[str] | None = None) -> T:
    """Return what a command line means, on top of the settings of the id's robot.

    Args:
        kind: Of arguments.
        settings: By robot.
        args: The command line; that of the process when left out.
    """
    env_id = tyro.cli(kind, args=args).env_id
    return tyro.cli(kind, args=args, default=kind(env_id=env_id, **tuned(settings, env_id)))
