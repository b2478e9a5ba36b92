"""A replay buffer for Stable-Baselines3 whose rewards are compensated when they are drawn.

An off-policy agent learns for long from what was paid long ago, by a compensation that has learnt since. This buffer
keeps the environment's own rewards and the domains, and asks the compensation when a batch is drawn:

    agent = SAC("MlpPolicy", env, **compensated_replay(env))
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from transreward_baselines.lanes import Array
from transreward_baselines.parts.replay import LearnFrom, draw_source, require_learn_from
from transreward_baselines.sb3.compensation import Env, LiveCompensation
from transreward_envs.failures import FAILED
from transreward_wrappers.compensation import Transitions

TOLD = ("reward/env", "reward/compensation", "domain")
"""What ``infos`` must tell of each lane at each step."""


class CompensatedReplayBuffer(ReplayBuffer):
    """Keeps the environment's own rewards, and draws them with the compensation that is theirs by then.

    The compensation sees what it saw when the transition was made: raw observations, also under ``VecNormalize``
    (whose clipping alone is lost, in an episode's last observation), actions in their own scale, the last observation
    of that very episode, and its domain. A lane whose physics has failed made no transition and is paid none.

    Args:
        buffer_size: As in Stable-Baselines3, like all that come before ``compensation``.
        observation_space: Of the environment.
        action_space: Of the environment.
        device: Of what is drawn.
        n_envs: Number of environments.
        optimize_memory_usage: Refused.
        handle_timeout_termination: Whether a time limit is no end for the agent; for the compensation it never is.
        compensation: Of the environment trained in; see :func:`compensated_replay`.
        learn_from: Draw transitions of both domains, or of the source alone, so that target transitions serve the
            compensation only.
        unsupported: Refused, those of n-step buffers among them.

    Raises:
        TypeError: ``compensation`` is not what :func:`compensated_replay` gives, or a keyword is unknown.
        ValueError: Memory is to be saved where the last observations of episodes are, or ``learn_from`` is unknown.
    """

    arrays: ClassVar[tuple[str, ...]] = ("domains", "failed", "terminated")
    """What is kept beyond what Stable-Baselines3 keeps."""

    def __init__(
        self,
        buffer_size: int,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        *,
        compensation: LiveCompensation,
        learn_from: LearnFrom = "both",
        **unsupported: Any,
    ) -> None:
        if unsupported:
            raise TypeError(
                f"{type(self).__name__} takes `compensation`, `learn_from` and `handle_timeout_termination`, and pays "
                f"transitions one by one; it takes no {', '.join(unsupported)}."
            )
        if not isinstance(compensation, LiveCompensation):
            raise TypeError(
                f"`compensation` must be that of the environment trained in; got {type(compensation).__name__}. Make "
                'the agent with SAC("MlpPolicy", env, **compensated_replay(env)).'
            )
        if optimize_memory_usage:
            raise ValueError(
                "`optimize_memory_usage` must be False: it overwrites the last observation of each episode by the "
                "first of the next, and a compensation needs it."
            )
        require_learn_from(learn_from, relabels=True)
        super().__init__(
            buffer_size,
            observation_space,
            action_space,
            device=device,
            n_envs=n_envs,
            handle_timeout_termination=handle_timeout_termination,
        )
        self.compensation, self.learn_from = compensation, learn_from
        shape = self.rewards.shape
        self.rewards = np.zeros(shape, np.float64)  # the environment's own, as exact as they were
        self.domains, self.failed = np.zeros(shape, np.int8), np.zeros(shape, np.bool_)
        self.terminated = np.zeros(shape, np.bool_)

    def attach(self, env: Env | VecEnv) -> None:
        """Pay by the compensation of these environments; needed after the buffer was loaded, and after `set_env`.

        Raises:
            TypeError: These are no environments of this process.
            ValueError: They have no compensation, do not learn together, or what is around it changes observations or
                actions.
        """
        self.compensation = LiveCompensation(env)

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Keep a transition of each lane.

        Raises:
            ValueError: ``infos`` lack what the wrapper of rewards tells, or the rewards are not what it has paid.
        """
        own, added, domains = _told(infos)
        paid = added if self.compensation.replaces else own + added
        if (np.abs(reward - paid) > 1e-5 * (1.0 + np.abs(reward))).any():
            raise ValueError(
                f"Rewards must be what the compensation makes of the environment's, {paid}; got {reward}. Something "
                "around the compensation changes them: leave it out, or scale them by `VecNormalize`."
            )
        row = self.pos
        super().add(obs, next_obs, action, own, done, infos)
        self.domains[row] = domains
        self.failed[row] = [info.get(FAILED, False) for info in infos]
        self.terminated[row] = done & ~np.array([info.get("TimeLimit.truncated", False) for info in infos])

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Draw transitions with replacement, as Stable-Baselines3's own buffer does from the same random numbers."""
        if self.learn_from == "both":
            return super().sample(batch_size, env)
        drawn = draw_source(self.domains[: self.size()].reshape(-1), batch_size, _draw)
        return self._drawn(*np.divmod(drawn, self.n_envs), env)

    def _get_samples(self, batch_inds: NDArray[Any], env: VecNormalize | None = None) -> ReplayBufferSamples:
        return self._drawn(batch_inds, _draw(self.n_envs, len(batch_inds)), env)

    def _drawn(self, rows: NDArray[Any], lanes: NDArray[Any], env: VecNormalize | None) -> ReplayBufferSamples:
        """Return transitions of some lanes, normalised if ``env`` does so, paid as the compensation says now."""
        where, dtype = (rows, lanes), self.observations.dtype
        made = self._transitions(where)
        paid = self._paid(where, made).astype(np.float32)
        over = self.dones[where] * (1 - self.timeouts[where])
        drawn = (
            self._normalize_obs(made.observation.astype(dtype, copy=False), env),
            self.actions[where],
            self._normalize_obs(made.next_observation.astype(dtype, copy=False), env),
            over.reshape(-1, 1),
            self._normalize_reward(paid.reshape(-1, 1), env),
        )
        return ReplayBufferSamples(*(self.to_torch(values) for values in drawn))  # type: ignore[arg-type]

    def _paid(self, where: tuple[NDArray[Any], NDArray[Any]], made: Transitions) -> Array:
        """Return what transitions are paid now, as ``(B,)``."""
        return self.compensation(made, self.failed[where])

    def _transitions(self, where: tuple[NDArray[Any], NDArray[Any]]) -> Transitions:
        """Return transitions as the compensation saw them."""
        space = self.action_space
        assert isinstance(space, Box)
        return Transitions(
            observation=self.observations[where].astype(np.float64, copy=False),
            action=(space.low + 0.5 * (self.actions[where] + 1.0) * (space.high - space.low)).astype(np.float64),
            reward=self.rewards[where],
            next_observation=self.next_observations[where].astype(np.float64, copy=False),
            terminated=self.terminated[where],
            domain=self.domains[where].astype(np.int64),
        )


def compensated_replay(env: Env | VecEnv, *, learn_from: LearnFrom = "both") -> dict[str, Any]:
    """Return the arguments that have an agent relabel rewards: ``SAC("MlpPolicy", env, **compensated_replay(env))``.

    TD3 and DDPG take them too, and ``SAC.load(path, env=env, **compensated_replay(env))``.

    Args:
        env: What the agent trains in: an environment of a training id, lanes by ``make_vec``, or environments in a
            ``DummyVecEnv`` that learn together.
        learn_from: Draw transitions of both domains, or of the source alone.

    Raises:
        TypeError: These are no environments of this process.
        ValueError: They have no compensation, do not learn together, or what is around it changes observations or
            actions.
    """
    settings = {"compensation": LiveCompensation(env), "learn_from": learn_from}
    return {"replay_buffer_class": CompensatedReplayBuffer, "replay_buffer_kwargs": settings}


def _told(infos: list[dict[str, Any]]) -> tuple[Array, Array, Array]:
    """Return the environment's own rewards, what was added to them, and the domains."""
    if missing := [name for name in TOLD if any(name not in info for info in infos)]:
        raise ValueError(
            f"Rewards are relabelled by what `infos` tell of each step; they lack {', '.join(missing)}. Make lanes "
            "with `reports=True`, and leave out what drops entries of `info`."
        )
    own, added, domains = (np.array([info[name] for info in infos]) for name in TOLD)
    return own, added, domains


def _draw(below: int, count: int) -> NDArray[np.int64]:
    return np.random.randint(0, below, size=count)  # noqa: NPY002  # the stream that the agent's seed seeds
