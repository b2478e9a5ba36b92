"""Lanes as a Gymnasium vector environment, stepped in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from transreward_envs.batched.checks import (
    checked_actions,
    checked_mode,
    episode_limit,
    lane_seeds,
    lanes_to_reset,
    require_mask,
)
from transreward_envs.batched.engines import make_engine
from transreward_envs.batched.infos import Info, all_lanes, lane_info, put
from transreward_envs.batched.lanes import Lane
from transreward_envs.batched.stepper import Bools, Stepper
from transreward_envs.batched.tasks import TASKS
from transreward_envs.errors import require_count
from transreward_envs.failures import FAILED
from transreward_envs.robots.domain import is_term
from transreward_envs.robots.keywords import plain_json

Array = NDArray[np.float64]
CHANGING = ("reset", "step", "set_state", "reset_model", "do_simulation")
"""Methods of a domain that change its state."""


class BatchedEnv(VectorEnv[Array, NDArray[Any], NDArray[Any]]):
    """Lanes of one robot, stepped by a pool of threads.

    A lane whose physics blows up is truncated alone and earns nothing by that step: ``info["physics_failed"]``. Its
    last observation is not of that episode.

    Args:
        lanes: The lanes.
        robot: Name of their robot.
        max_episode_steps: Time limit [agent steps]; none when ``None`` or -1, as Gymnasium has it.
        autoreset_mode: When a lane that is done starts again: ``NextStep``, ``SameStep`` or ``Disabled``.
        threads: Threads that step; all CPUs when 0.
        copy: Whether observations are copies.

    Raises:
        ValueError: The lanes' models differ in size, or a setting breaks its rule.
    """

    def __init__(
        self,
        lanes: list[Lane],
        *,
        robot: str,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        threads: int = 0,
        copy: bool = True,
    ) -> None:
        require_count("threads", threads)
        limit = episode_limit(max_episode_steps)
        self.lanes, self.num_envs = lanes, len(lanes)
        self.autoreset_mode = checked_mode(autoreset_mode)
        first = lanes[0].domain
        self.render_mode = first.render_mode
        self.metadata = {**first.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        task = TASKS[robot]
        self._engine = make_engine([lane.domain.model for lane in lanes], threads=threads, fields=task.fields)
        self._task = task(first, self._engine)
        self._stepper = Stepper(lanes, self._engine, self._task, substeps=int(first.frame_skip))
        self._copy, self._owner = copy, os.getpid()
        self._limits = np.full(self.num_envs, limit or np.iinfo(np.int64).max)
        self._started = np.zeros(self.num_envs, dtype=np.bool_)
        self._elapsed = np.zeros(self.num_envs, dtype=np.int64)
        self._done = np.zeros(self.num_envs, dtype=np.bool_)
        self._resting = np.zeros(self.num_envs, dtype=np.bool_)
        assert self.single_observation_space.shape is not None
        self._seen = np.zeros((self.num_envs, *self.single_observation_space.shape))
        self._spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What ``gymnasium.make_vec`` was called with, as JSON types."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            spec.kwargs.update({name: plain_json(value) for name, value in spec.kwargs.items()})
        self._spec = spec

    @property
    def threads(self) -> int:
        """How many threads step."""
        self._require_usable()
        return self._engine.threads

    @property  # type: ignore[misc]  # as SyncVectorEnv's
    def np_random(self) -> tuple[np.random.Generator | None, ...]:  # type: ignore[override]
        """Each lane's generator."""
        return tuple(lane.generator for lane in self.lanes)

    @property
    def np_random_seed(self) -> tuple[int | None, ...]:  # type: ignore[override]
        """Each lane's seed."""
        return tuple(lane.seed for lane in self.lanes)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, Info]:
        """Start episodes in all lanes, or in those of ``options["reset_mask"]``.

        Args:
            seed: Of lane 0, the next of lane 1 and so on; or one a lane.
            options: As for the single domain, and ``reset_mask``, booleans as ``(num_envs,)``.
        """
        self._require_usable()
        seeds = lane_seeds(seed, self.num_envs)
        lanes, options = lanes_to_reset(options, self.num_envs)
        infos: Info = {}
        self._start(lanes, seeds, options, infos)
        self._done[lanes] = self._resting[lanes] = False
        self._started[lanes] = True
        return self._observations(), infos

    def rest(self, lanes: Bools) -> None:
        """Have some lanes, as ``(num_envs,)``, take no steps and earn nothing until they are reset.

        So a lane whose one episode is over costs nothing while others go on. What ``info`` tells of it means nothing.

        Raises:
            ValueError: ``lanes`` is no array of a boolean a lane.
        """
        require_mask("lanes", lanes, self.num_envs)
        self._resting |= lanes

    def step(self, actions: NDArray[Any]) -> tuple[Array, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Step all lanes but those that rest; under ``NextStep``, those that are done start again instead."""
        self._require_usable()
        if np.count_nonzero(self._started) < self.num_envs:
            never = np.flatnonzero(~self._started).tolist()
            raise ResetNeeded(f"Cannot call `env.step()` before calling `env.reset()`; lanes {never} were never reset.")
        actions = checked_actions(actions, self.action_space.shape)
        again = self._done & ~self._resting
        if self.autoreset_mode == AutoresetMode.DISABLED and again.any():
            raise ResetNeeded(
                f"Lanes {np.flatnonzero(again).tolist()} are done; start them with "
                '`env.reset(options={"reset_mask": ...})`.'
            )
        stepping = ~(again | self._resting)
        self._before_step(stepping)
        rewards, terminated, info, failed = self._stepper.advance(actions, stepping)
        self._elapsed += stepping
        truncated = (stepping & (self._elapsed >= self._limits)) | failed
        if np.count_nonzero(failed):
            rewards, terminated = np.where(failed, 0.0, rewards), terminated & ~failed
            for key in info:
                if is_term(key):
                    info[key] = np.where(failed, 0.0, info[key])
        info[FAILED] = failed
        self._stepper.see(stepping, self._seen)
        infos = all_lanes(info, self.num_envs)
        self._add_values(infos, stepping)
        truncated = self._after_step(stepping, rewards, terminated, truncated, infos)
        done = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            for lane in np.flatnonzero(done):
                last = lane_info(infos, int(lane))
                infos = self._add_info(infos, {"final_obs": self._seen[lane].copy(), "final_info": last}, int(lane))
            again = done
        if np.count_nonzero(again):
            self._start(np.flatnonzero(again), [None] * self.num_envs, None, infos)
        self._done = np.zeros_like(done) if self.autoreset_mode == AutoresetMode.SAME_STEP else done
        return self._observations(), rewards, terminated, truncated, infos

    def render(self) -> tuple[Any, ...] | None:
        """Return a frame of each lane."""
        return self.call("render")

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of each lane's domain, or read an attribute, with the lane's state in its simulator.

        Raises:
            ValueError: The method would change the state, which lanes do not take back.
        """
        self._require_usable()
        if name in ("np_random", "np_random_seed"):
            return tuple(getattr(self, name))
        if name in CHANGING:
            raise ValueError(f"Lanes start and step together; {name!r} cannot be called on each. Use `env.{name}()`.")
        results = []
        for index, lane in enumerate(self.lanes):
            self._engine.unload(index, lane.domain.data)
            value = getattr(lane.domain, name)
            results.append(value(*args, **kwargs) if callable(value) else value)
        return tuple(results)

    def set_attr(self, name: str, values: Any) -> None:
        """Refused: lanes may share a domain."""
        raise ValueError(f"Lanes may share a domain, so {name!r} cannot be set for each; give it when making them.")

    def __reduce__(self) -> Any:
        """Refused: threads and simulations are not copied."""
        raise TypeError("Lanes cannot be pickled or copied; make them anew with gymnasium.make_vec(env.spec).")

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each lane's domain; lanes of one kind may share a domain, but for their states."""
        return self.call(name)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the domains and let go of the simulations, threads among them; in a forked process, nothing."""
        if os.getpid() != self._owner:
            return
        for lane in self.lanes:
            lane.close()
        self._engine.close()
        del self._stepper, self._task, self._engine

    def _start(self, lanes: NDArray[Any], seeds: list[int | None], options: dict[str, Any] | None, infos: Info) -> None:
        """Start episodes in some lanes, and put what they report into ``infos``."""
        for index in map(int, lanes):
            lane = self.lanes[index]
            entered = self._before_start(index)
            self._seen[index], info = lane.reset(seeds[index], options)
            self._engine.load(index, lane.domain.data)
            self._task.start(index, lane.domain)
            self._elapsed[index] = 0
            for key, value in {**info, FAILED: False, **entered}.items():
                if not put(infos, key, index, value):
                    self._add_info(infos, {key: value}, index)
        self._stepper.follow()

    def _before_start(self, lane: int) -> dict[str, Any]:
        """Prepare a lane for its next episode, and return what its ``info`` tells besides."""
        return {}

    def _before_step(self, stepping: Bools) -> None:
        """Prepare a step of some lanes, or refuse it."""

    def _after_step(
        self, stepping: Bools, rewards: Array, terminated: Bools, truncated: Bools, infos: Info
    ) -> NDArray[np.bool_]:
        """Tell more in ``infos`` of the step just taken, and return which lanes are truncated after all."""
        return truncated

    def _observations(self) -> Array:
        """Return what is seen of all lanes."""
        return self._seen.copy() if self._copy else self._seen

    def _add_values(self, infos: Info, stepping: Bools) -> None:
        """Put the values of varying shifts into ``infos``."""
        for index in self._stepper.active:
            if stepping[index] and (values := self.lanes[index].values()):
                self._add_info(infos, values, index)

    def _require_usable(self) -> None:
        """Raise an error if the lanes were closed, or belong to another process."""
        if self.closed:
            raise ClosedEnvironmentError("These lanes are closed; make them anew.")
        if os.getpid() != self._owner:
            raise RuntimeError(
                "Lanes belong to the process that made them, because threads do not survive a fork. Make them in the "
                "worker, or start workers with `spawn` or `forkserver`."
            )
