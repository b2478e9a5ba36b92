"""Lanes of any id as the agents here step them: true last observations, no transition across two episodes."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

import transreward_envs
from transreward_envs.errors import require_count, unknown
from transreward_wrappers.compensation import Transitions
from transreward_wrappers.policies import scale_actions

gym.register_envs(transreward_envs)

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
PaidFor = Callable[[Transitions, Bools], Array]
"""From transitions, and in which of them the physics has failed, to what is paid for them, as ``(B,)``."""

OWN = "transreward_"
"""How the modules of entry points begin whose lanes know both ways of starting again, and step by threads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneSteps:
    """What one step of all lanes gave; ``B`` is the number of lanes."""

    observations: Array
    """What to act on next, as ``(B, observation_size)``: the first of a new episode where lanes start again at once."""

    last_observations: Array
    """What the actions led to, as ``(B, observation_size)``: never of the next episode."""

    rewards: Array
    """``(B,)``."""

    terminated: Bools
    """Whether nothing is to be expected beyond, as ``(B,)``: the task ended, or the physics blew up."""

    done: Bools
    """Whether the episode ended, by its time limit too, as ``(B,)``."""

    failed: Bools
    """Whether it ended because the physics blew up, as ``(B,)``: the step is no transition then."""

    valid: Bools
    """Whether the lane stepped, as ``(B,)``; under ``NextStep``, one whose episode was over started again instead."""

    infos: dict[str, Any]

    def told(self, name: str) -> NDArray[Any]:
        """Return what ``infos`` tell of the step just taken, not of the start that followed it, as ``(B,)``."""
        ended = self.infos.get("final_info", {})
        now: NDArray[Any] = np.asarray(self.infos[name])
        return np.where(self.done, ended[name], now) if name in ended else now


class Lanes:
    """Steps a vector environment, in whichever of both modes its lanes start again.

    Actions are in ``[-1, 1]``, scaled to the bounds of the action space. A lane whose physics blew up counts as
    terminated, because its last observation is not of that episode and must not be bootstrapped.

    Args:
        envs: The lanes, under ``SameStep`` or ``NextStep``.
        pictures: Whether observations are pictures, which are told as vectors.

    Raises:
        ValueError: Observations are not vectors, or not pictures where those were told, actions are not bounded
            vectors, or lanes do not start again.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], *, pictures: bool = False) -> None:
        space, action_space = envs.single_observation_space, envs.single_action_space
        if not (isinstance(space, Box) and len(space.shape) == (3 if pictures else 1)):
            wanted = "pictures, a three-dimensional Box" if pictures else "vectors, a one-dimensional Box"
            raise ValueError(f"Observations must be {wanted}; got {space}.")
        if not (isinstance(action_space, Box) and len(action_space.shape) == 1 and action_space.is_bounded()):
            raise ValueError(f"Actions must be bounded vectors, a one-dimensional Box; got {action_space}.")
        mode = envs.metadata.get("autoreset_mode")
        if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP):
            raise ValueError(f'Lanes must start again by themselves, by "SameStep" or "NextStep"; these have {mode}.')
        self.envs, self.num_envs = envs, envs.num_envs
        self.observation_size, self.action_size = math.prod(space.shape), action_space.shape[0]
        self.action_space = action_space
        self._same_step = mode == AutoresetMode.SAME_STEP
        self._over = np.zeros(envs.num_envs, dtype=np.bool_)
        self._returns, self._lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=np.int64)
        self.finished: list[tuple[float, int]] = []
        """Returns and lengths of the episodes that ended since the caller last emptied it."""

    def reset(self, seed: int | Sequence[int]) -> Array:
        """Start episodes in all lanes, with seeds ``seed``, ``seed + 1`` and so on, or one a lane."""
        observations, _ = self.envs.reset(seed=seed)  # type: ignore[arg-type]
        self._over[:], self._returns[:], self._lengths[:] = False, 0.0, 0
        return self._vectors(observations)

    def step(self, actions: NDArray[Any]) -> LaneSteps:
        """Step all lanes by actions in ``[-1, 1]``, as ``(B, action_size)``."""
        observed, rewards, terminated, truncated, infos = self.envs.step(scale_actions(actions, self.action_space))
        observations, valid = self._vectors(observed), ~self._over
        done = (terminated | truncated) & valid
        last, told = observations, infos
        if self._same_step and done.any():
            last, told = observations.copy(), infos.get("final_info", {})
            for lane in np.flatnonzero(done):
                last[lane] = np.ravel(infos["final_obs"][lane])
        failed = np.asarray(told.get("physics_failed", False), dtype=np.bool_) & done
        self._count(np.where(valid, rewards, 0.0), valid, done)
        self._over = done & (not self._same_step)
        return LaneSteps(
            observations=observations,
            last_observations=last,
            rewards=np.where(valid, rewards, 0.0),
            terminated=(terminated & valid) | failed,
            done=done,
            failed=failed,
            valid=valid,
            infos=infos,
        )

    @property
    def pays(self) -> PaidFor | None:
        """What tells what is paid for transitions, as the compensation is when asked; ``None`` where there is none.

        It is ``None`` too where a compensation pays for whole episodes. Actions are in ``[-1, 1]``, as everywhere here.
        """
        found: PaidFor | None = find_shared(self.envs, "paid_for")
        if found is None or find_shared(self.envs, "compensation").follows:
            return None
        space = self.action_space
        return lambda batch, failed: found(
            replace(batch, action=scale_actions(batch.action, space).astype(float)), failed
        )

    def close(self) -> None:
        """Close the lanes."""
        self.envs.close()

    def _vectors(self, observations: Any) -> Array:
        return np.array(observations, dtype=np.float64).reshape(self.num_envs, -1)

    def _count(self, rewards: Array, valid: Bools, done: Bools) -> None:
        self._returns += rewards
        self._lengths += valid
        for lane in np.flatnonzero(done):
            self.finished.append((float(self._returns[lane]), int(self._lengths[lane])))
        self._returns[done], self._lengths[done] = 0.0, 0


def make_lanes(
    env_id: str | EnvSpec,
    num_envs: int,
    *,
    autoreset: str = "SameStep",
    threads: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> VectorEnv[Any, Any, Any]:
    """Make the lanes of an id by ``gymnasium.make_vec``.

    Args:
        env_id: Any id, of this suite or not, or what is registered under one.
        num_envs: Number of lanes.
        autoreset: ``SameStep`` or ``NextStep``.
        threads: Threads that step lanes of this suite's domains; all CPUs when 0.
        settings: Further keywords of the id.
    """
    require_count("num_envs", num_envs, at_least=1)
    if autoreset not in ("SameStep", "NextStep"):
        raise ValueError(unknown("autoreset mode", autoreset, ("SameStep", "NextStep")))
    keywords = dict(settings or {})
    spec = env_id if isinstance(env_id, EnvSpec) else find_spec(env_id)
    entry = str(spec.vector_entry_point)
    if entry.startswith(OWN):
        return gym.make_vec(env_id, num_envs=num_envs, autoreset_mode=autoreset, **{"threads": threads, **keywords})
    keywords.pop("threads", None)
    mode = {"autoreset_mode": AutoresetMode(autoreset)}
    return gym.make_vec(env_id, num_envs=num_envs, vectorization_mode="sync", vector_kwargs=mode, **keywords)


def sizes_of(spec: EnvSpec) -> tuple[int, int]:
    """Return the lengths of observations and actions, both vectors, of what a spec makes."""
    with closing(gym.make(spec)) as env:
        (observation_size,), (action_size,) = env.observation_space.shape or (0,), env.action_space.shape or (0,)
    return observation_size, action_size


def find_attribute(envs: VectorEnv[Any, Any, Any], name: str) -> Any:
    """Return what is called so in the wrappers around all lanes, or in the lanes as a whole; ``None`` if nothing is."""
    layer = envs
    while name not in vars(layer) and (hasattr(VectorEnv, name) or not hasattr(type(layer), name)):
        if not isinstance(layer, VectorWrapper):
            return None
        layer = layer.env
    return getattr(layer, name)


def find_shared(envs: VectorEnv[Any, Any, Any], name: str) -> Any:
    """Return what environments that share a count of steps and a learner have in common; ``None`` if they do not."""
    return None if find_attribute(envs, "ledger") is None else find_attribute(envs, name)


def find_spec(env_id: str) -> EnvSpec:
    """Return what is registered under an id, ``module:id`` too.

    Raises:
        ValueError: Nothing is.
    """
    module, _, plain = env_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gym.spec(plain)
    except (gym.error.Error, ImportError) as error:
        raise ValueError(unknown("id", env_id, gym.registry)) from error
