"""The reward wrapper of many lanes: one call of the compensation a step."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from transreward_envs.batched.checks import lane_seeds, lanes_to_reset
from transreward_envs.failures import FAILED
from transreward_envs.pairs import Pair, Role
from transreward_envs.training.episodes import EpisodeSums
from transreward_envs.training.roles import DOMAIN_INDEX
from transreward_wrappers.bound import BoundCompensation, HasCompensation, load_compensation
from transreward_wrappers.compensate import extended, require_uncompensated
from transreward_wrappers.compensation import Compensation, Follower, Transitions

Array = NDArray[Any]
Info = dict[str, Any]
Lanes = VectorEnv[Any, Any, Any]


class CompensateLanes(HasCompensation, gym.vector.VectorWrapper[Any, Any, Any, Any, Any]):
    """Pay ``env reward + compensation`` in all lanes at once, as ``Compensate`` does in one.

    ``info["reward/env"]`` and ``info["reward/compensation"]`` sum to the rewards exactly, also in the step that ends
    an episode. Steps that only start an episode are no transitions: they earn and teach nothing, and neither does a
    step in which a lane's physics has failed.

    Args:
        env: The lanes.
        pair: The pair that they act in.
        compensation: ``module:class`` of a compensation, or the class.
        settings: Keywords of that class.
        shared_state: Folder through which several processes learn together; each learns for itself when ``None``.

    Raises:
        ValueError: The compensation cannot serve the pair, or a setting is unknown or breaks its rule.
        TypeError: ``env`` compensates already, or has no box spaces.
    """

    def __init__(
        self,
        env: Lanes,
        *,
        pair: Pair,
        compensation: str | type[Compensation],
        settings: dict[str, Any] | None = None,
        shared_state: str | None = None,
    ) -> None:
        super().__init__(env)
        require_uncompensated(env)
        self._bound = BoundCompensation(
            pair,
            load_compensation(compensation),
            settings or {},
            observation_space=env.single_observation_space,
            action_space=env.single_action_space,
            shared_state=shared_state,
        )
        if observed := self.compensation.observed:
            self.single_observation_space = extended(env.single_observation_space, observed)
            self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._follower: Follower | None = None
        self._mode = env.metadata["autoreset_mode"]
        self._observation: Array = np.zeros(0)
        self._domain = np.full(self.num_envs, DOMAIN_INDEX["target"])
        self._done = np.zeros(self.num_envs, dtype=np.bool_)
        self._episodes = EpisodeSums(self.num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Start episodes; fit the compensation if these are the first."""
        self._bound.prepare()
        observations, infos = self.env.reset(seed=seed, options=options)
        if seeds := [one for one in lane_seeds(seed, self.num_envs) if one is not None]:
            self.compensation.reseed(seeds[0])
        started = np.zeros(self.num_envs, dtype=np.bool_)
        started[lanes_to_reset(options, self.num_envs)[0]] = True
        self._observation = observations.copy()
        self._domain = np.where(started, infos.get("domain", self._domain), self._domain)
        self._done &= ~started
        self._episodes.start(started)
        if self._follower is None:
            self._follower = self._bound.follower(self.num_envs)
        self._start(started)
        for name in ("reward/env", "reward/compensation"):
            infos[name], infos[f"_{name}"] = np.zeros(self.num_envs), started.copy()
        return self._shown(observations), infos

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, Info]:
        """Step, compensate, and let the compensation learn from what it has just paid."""
        following, rewards, terminated, truncated, infos = self.env.step(actions)
        done = terminated | truncated
        took = ~self._done if self._mode == AutoresetMode.NEXT_STEP else np.ones(self.num_envs, dtype=np.bool_)
        last = self._last(following, infos)
        own, delta = self._bound.own(rewards), np.zeros(self.num_envs)
        if (real := took & ~self._failed(infos)).any():
            batch = Transitions(
                observation=self._observation,
                action=np.asarray(actions, dtype=np.float64),
                reward=own,
                next_observation=last,
                terminated=terminated,
                domain=self._domain,
            )
            delta[real] = self._bound.pay(batch if real.all() else batch.select(real), self._follower, real)
        total = own + delta
        self._tell(infos, {"reward/env": rewards, "reward/compensation": delta}, total, took, done)
        self._observation = following.copy()
        self._domain = infos.get("domain", self._domain).copy()
        self._done = done if self._mode != AutoresetMode.SAME_STEP else np.zeros_like(done)
        if self._mode == AutoresetMode.SAME_STEP and done.any():
            ends = self._shown(last)
            for lane in np.flatnonzero(done):
                infos["final_obs"][lane] = ends[lane]
        self._start(done if self._mode == AutoresetMode.SAME_STEP else ~took)
        return self._shown(following), total, terminated, truncated, infos

    def steps(self) -> dict[Role, int]:
        """Return the steps taken in each domain."""
        counts: dict[Role, int] = self.env.unwrapped.steps()  # type: ignore[attr-defined]
        return counts

    def restore_steps(self, *, source: int, target: int) -> None:
        """Set the counts of a run that resumes."""
        self.env.unwrapped.restore_steps(source=source, target=target)  # type: ignore[attr-defined]

    def _last(self, following: Array, infos: Info) -> Array:
        """Return what the actions led to, as ``(lanes, observation_size)``, which is never of the next episode."""
        last = following.copy()
        if self._mode == AutoresetMode.SAME_STEP and "final_obs" in infos:
            for lane in np.flatnonzero(infos["_final_obs"]):
                last[lane] = infos["final_obs"][lane]
        return last

    def _start(self, lanes: Array) -> None:
        if self._follower is not None and lanes.any():
            self._follower.start(lanes)

    def _shown(self, observations: Array) -> Array:
        """Return observations, with what the compensation appends to them."""
        if self._follower is None or not self.compensation.observed:
            return observations
        shown: Array = np.concatenate([observations, self._follower.observe()], axis=1, dtype=observations.dtype)
        return shown

    def _failed(self, infos: Info) -> Array:
        """Return in which lanes physics has failed; the last observation there is not of the episode."""
        failed: Array = np.zeros(self.num_envs, dtype=np.bool_)
        for told in (infos, infos.get("final_info", {})):
            if FAILED in told:
                failed |= told[FAILED].astype(np.bool_)
        return failed

    def _tell(self, infos: Info, parts: dict[str, Array], total: Array, took: Array, done: Array) -> None:
        """Put the parts of the reward, and what episodes that ended have earned, into ``infos``."""
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        self._episodes.add(total, took)
        told = [infos, infos["final_info"]] if "final_info" in infos else [infos]
        for info in told:
            for name, values in parts.items():
                info[name], info[f"_{name}"] = values, everyone if info is infos else done
            self._episodes.tell(info, "episode_compensated", done)
        if self._mode == AutoresetMode.SAME_STEP:
            self._episodes.start(done)
        elif self._mode == AutoresetMode.NEXT_STEP:
            self._episodes.start(~took)
