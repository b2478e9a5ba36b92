"""One step of the agent in many lanes, however many control steps it lasts in each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.lanes import Lane
from transreward_envs.batched.tasks import Task
from transreward_envs.robots.domain import is_term

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Outcome = tuple[Array, Bools, dict[str, NDArray[Any]], Bools]
"""Reward, termination, info, and whose physics failed, a lane each."""


class Stepper:
    """Steps lanes as their domains would, each with its own control path.

    Args:
        lanes: The lanes.
        engine: Their simulations.
        task: What they observe and earn.
        substeps: Simulation steps of a control step.
    """

    def __init__(self, lanes: list[Lane], engine: Engine, task: Task, *, substeps: int) -> None:
        self._lanes, self._engine, self._task, self._substeps = lanes, engine, task, substeps
        self.active = [index for index, lane in enumerate(lanes) if not lane.plain]
        self._varying = any(lanes[index].varies for index in self.active)
        self._changing = any(lanes[index].changes for index in self.active)

    def advance(self, actions: NDArray[Any], stepping: Bools) -> Outcome:
        """Take one step of the agent in some lanes, however many control steps it lasts."""
        self._engine.ctrl[:] = actions
        if not self.active:
            return self._control_step(actions, stepping)
        repeats = np.ones(len(self._lanes), dtype=np.int64)
        for index in self.active:
            if stepping[index]:
                self._engine.ctrl[index] = self._lanes[index].executed(actions[index])
                repeats[index] = self._lanes[index].repeat
        if self._changing:
            self.follow()
            for index in self.active:
                if stepping[index]:
                    self._task.change(index, self._lanes[index].domain)
        if (repeats == 1).all():
            return self._control_step(actions, stepping)
        rewards, ended = np.zeros(len(self._lanes)), np.zeros(len(self._lanes), dtype=np.bool_)
        broken, total = ended.copy(), dict[str, NDArray[Any]]()
        for count in range(int(repeats[stepping].max(initial=0))):
            lanes = stepping & ~ended & ~broken & (repeats > count)
            reward, terminated, info, failed = self._control_step(actions, lanes)
            rewards[lanes] += reward[lanes]
            ended |= lanes & terminated
            broken |= failed
            for key, values in info.items():
                kept = total.setdefault(key, np.zeros_like(values))
                kept[lanes] = kept[lanes] + values[lanes] if is_term(key) else values[lanes]
        return rewards, ended, total, broken

    def _control_step(self, actions: NDArray[Any], lanes: Bools) -> Outcome:
        """Simulate one control step of some lanes; what is returned for the others is zero."""
        self._task.before()
        count = np.count_nonzero(lanes)
        if count == len(self._lanes):
            failed = self._engine.step(None, self._substeps)
            return (*self._task.outcome(actions, lanes), failed)
        failed = np.zeros(len(self._lanes), dtype=np.bool_)
        if count:
            failed = self._engine.step(np.flatnonzero(lanes).astype(np.int32), self._substeps)
        rewards, terminated, info = self._task.outcome(actions, lanes)
        return np.where(lanes, rewards, 0.0), terminated & lanes, info, failed

    def follow(self) -> None:
        """Follow changes of models, which domains edit in place, and lanes that have entered another domain."""
        models = [lane.domain.model for lane in self._lanes]
        if self._varying or models != self._engine.models:
            self._engine.set_models(models)

    def see(self, stepping: Bools, seen: Array) -> None:
        """Write what is seen of the lanes that took a step into ``seen``, as ``(lanes, obs_dim)``."""
        own = self._task.observe()
        if not self.active:
            np.copyto(seen, own, where=True if np.count_nonzero(stepping) == len(self._lanes) else stepping[:, None])
            return
        for index in map(int, np.flatnonzero(stepping)):
            lane = self._lanes[index]
            seen[index] = own[index] if lane.plain else lane.seen(own[index])
