"""Lanes of a robot, each in a world of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transreward_envs.batched.lanes import make_lanes
from transreward_envs.batched.tasks import TASKS
from transreward_envs.batched.vector_env import BatchedEnv
from transreward_envs.errors import require_count, unknown
from transreward_envs.shifts import ShiftsLike

VECTOR_KEYWORDS = ("autoreset_mode", "threads", "copy")
"""Keywords of lanes, not of a domain."""


class BatchedDomain(BatchedEnv):
    """Many lanes of a robot, stepped by a pool of threads, each in a world of its own.

    Observations and terminations are bit for bit those of ``SyncVectorEnv`` of single domains with the same seeds, and
    rewards agree to 1e-6, numbers in ``info`` too, whatever their types.

    Args:
        num_envs: Number of lanes.
        robot: Name of the robot.
        shift: Shifts of every lane.
        lane_shifts: Shifts of each lane, in place of ``shift``: their models may differ in everything but size.
        max_episode_steps: Time limit [agent steps].
        kwargs: Keywords of :class:`~transreward_envs.batched.vector_env.BatchedEnv`, such as ``autoreset_mode`` and
            ``threads``; all others are the single domain's, ``shift_range`` among them.

    Raises:
        TypeError: A keyword is unknown.
        ValueError: A shift breaks a rule, the lanes' models differ in size, or a setting breaks its rule.
    """

    def __init__(
        self,
        *,
        num_envs: int,
        robot: str,
        shift: ShiftsLike = (),
        lane_shifts: Sequence[ShiftsLike] | None = None,
        max_episode_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        require_count("num_envs", num_envs, at_least=1)
        if robot not in TASKS:
            raise ValueError(unknown("robot that steps in lanes", robot, TASKS))
        if lane_shifts is not None and len(lane_shifts) != num_envs:
            raise ValueError(f"`lane_shifts` are one entry a lane; got {len(lane_shifts)} for {num_envs} lanes.")
        vector = {name: kwargs.pop(name) for name in VECTOR_KEYWORDS if name in kwargs}
        lanes = make_lanes(robot, [shift] * num_envs if lane_shifts is None else lane_shifts, kwargs)
        super().__init__(lanes, robot=robot, max_episode_steps=max_episode_steps, **vector)
