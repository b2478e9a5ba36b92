"""A replay buffer for Stable-Baselines3 that pays whole episodes by DRaE, once they are over.

    agent = SAC("MlpPolicy", env, **drae_replay(env))
    agent.replay_buffer.follow(agent)

What the environment itself pays is over one step. Here an episode's rewards are estimated from all that followed, and
weighed by how likely the policy is to act as it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from transreward_baselines.lanes import Array
from transreward_baselines.parts.replay import LearnFrom
from transreward_baselines.sb3.compensation import Env, LiveCompensation
from transreward_baselines.sb3.policy import DEVIATION, FollowedPolicy
from transreward_baselines.sb3.replay import CompensatedReplayBuffer
from transreward_envs.errors import require_count
from transreward_wrappers.compensation import Transitions
from transreward_wrappers.drae import DRaE
from transreward_wrappers.drae.ratios import require_clip

Where = tuple[NDArray[Any], NDArray[Any]]
"""Rows and lanes of transitions in the buffer."""

BATCH = 65_536
"""Transitions that are relabelled by one call, or few more."""


class DRaEReplayBuffer(CompensatedReplayBuffer):
    """Keeps what the environment paid, and pays DRaE's rewards of whole episodes.

    When an episode is over, its rewards become ``r'`` of the action-value form, from estimates over all that followed
    in it (see ``docs/drae.md``). The log-density of each action under the policy that took it is kept; that under the
    policy which learns is computed when an episode is relabelled. Until then, and during the warm-up of DRaE, a
    transition is paid as ``CompensatedReplayBuffer`` pays it: over one step.

    Args:
        shared: As of :class:`CompensatedReplayBuffer`.
        policy_clip: The largest weight of an action [-].
        deviation: Of the Gaussian around the actions of an agent that has no density of its own [-].
        relabel_every: Steps of all lanes together after which all episodes that are over are relabelled anew; only when
            they end when ``None``.
        named: As of :class:`CompensatedReplayBuffer`; :func:`drae_replay` gives its ``compensation``.

    Raises:
        TypeError: ``compensation`` is not what :func:`drae_replay` gives, or a keyword is unknown.
        ValueError: A setting breaks its rule.
    """

    arrays = (*CompensatedReplayBuffer.arrays, "ends", "log_densities", "added", "relabelled")

    def __init__(
        self,
        *shared: Any,
        policy_clip: float = 1.0,
        deviation: float = DEVIATION,
        relabel_every: int | None = None,
        **named: Any,
    ) -> None:
        require_clip(policy_clip, "policy_clip")
        if relabel_every is not None:
            require_count("relabel_every", relabel_every, at_least=1)
        super().__init__(*shared, **named)
        self.policy = FollowedPolicy(None, deviation=deviation)
        self._policy_clip, self._relabel_every = policy_clip, relabel_every
        shape = self.rewards.shape
        self.ends, self.relabelled = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        self.log_densities, self.added = np.zeros(shape), np.zeros(shape)
        self._lengths = np.zeros(self.n_envs, np.int64)
        self._steps = 0

    def follow(self, agent: OffPolicyAlgorithm) -> None:
        """Take log-densities of actions from an agent's policy; needed before it learns, and after loading.

        Raises:
            TypeError: It is an agent whose policy is not understood.
        """
        self.policy = FollowedPolicy(agent, deviation=self.policy.deviation)

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Keep a transition of each lane, and relabel the episodes that are over.

        Raises:
            RuntimeError: No agent is followed.
            ValueError: As in :class:`CompensatedReplayBuffer`.
        """
        row = self.pos
        self._close_abandoned((row - 1) % self.buffer_size, obs)
        log_densities = self.policy.of_behaviour(obs, action, lanes=self.n_envs)
        super().add(obs, next_obs, action, reward, done, infos)
        self.ends[row], self.log_densities[row] = done, log_densities
        self.added[row], self.relabelled[row] = 0.0, False
        self._lengths += 1
        for lane in map(int, np.flatnonzero(done)):
            self._close(row, lane)
        self._steps += self.n_envs
        if self._relabel_every is not None and self._steps >= self._relabel_every:
            self.relabel()

    def recount(self) -> None:
        """Count the steps of each lane's episode under way from what is kept; needed after that was put back."""
        newest_first = self.ends[(self.pos - 1 - np.arange(self.size())) % self.buffer_size]
        ended = newest_first.any(axis=0)
        self._lengths = np.where(ended, newest_first.argmax(axis=0), len(newest_first))

    def relabel(self) -> int:
        """Relabel all episodes that are over, by policy, values and classifiers as they are now; return the steps."""
        self._steps = 0
        if not _drae(self.compensation).ready:
            return 0
        count = 0
        for where in self._episodes():
            self._pay_episodes(where)
            count += len(where[0])
        return count

    def _close_abandoned(self, row: int, obs: NDArray[Any]) -> None:
        """Let episodes end in the row before where the next one does not go on: they were left by a reset."""
        if not (self.full or self.pos > 0):
            return
        goes_on = (self.next_observations[row] == obs.astype(self.observations.dtype)).all(axis=1)
        for lane in map(int, np.flatnonzero(~goes_on & ~self.ends[row])):
            self.ends[row, lane] = True
            self._close(row, lane)

    def _close(self, row: int, lane: int) -> None:
        """Relabel the episode that ended in a row; where physics failed there, it ended in the row before."""
        length, last = min(int(self._lengths[lane]), self.buffer_size), row
        self._lengths[lane] = 0
        if self.failed[row, lane]:
            length, last = length - 1, (row - 1) % self.buffer_size
        if length == 0:
            return
        self.ends[last, lane] = True
        if _drae(self.compensation).ready:
            self._pay_episodes(((last + 1 - length + np.arange(length)) % self.buffer_size, np.full(length, lane)))

    def _episodes(self) -> Iterator[Where]:
        """Yield all episodes that are over, in order, many at a time."""
        first = self.pos if self.full else 0
        order = (first + np.arange(self.size())) % self.buffer_size
        rows, lanes = np.tile(order, self.n_envs), np.repeat(np.arange(self.n_envs), len(order))
        ended = np.flatnonzero(self.ends[order].any(axis=0))
        last = {lane: np.flatnonzero(self.ends[order, lane])[-1] for lane in ended.tolist()}
        over = np.concatenate([np.arange(len(order)) <= last.get(lane, -1) for lane in range(self.n_envs)])
        kept = over & ~self.failed[rows, lanes]
        rows, lanes = rows[kept], lanes[kept]
        ends = np.append(np.flatnonzero(self.ends[rows, lanes]) + 1, len(rows))
        start = 0
        while start < len(rows):
            stop = int(ends[np.searchsorted(ends, min(start + BATCH, len(rows)))])
            yield rows[start:stop], lanes[start:stop]
            start = stop

    def _pay_episodes(self, where: Where) -> None:
        made = self._transitions(where)
        log_densities = self.policy.of_policy(self.observations[where], self.actions[where])
        self.added[where] = _drae(self.compensation).trajectory_added(
            made, self.ends[where], log_policy_ratio=log_densities - self.log_densities[where], clip=self._policy_clip
        )
        self.relabelled[where] = True

    def _paid(self, where: Where, made: Transitions) -> Array:
        """Return what transitions are paid now: by their episode, or over one step, as ``(B,)``."""
        paid: Array = made.reward + self.added[where]
        if not (done := self.relabelled[where]).all():
            paid[~done] = self.compensation(made.select(~done), self.failed[where][~done])
        return paid


def drae_replay(
    env: Env | VecEnv,
    *,
    policy_clip: float = 1.0,
    deviation: float = DEVIATION,
    relabel_every: int | None = None,
    learn_from: LearnFrom = "both",
) -> dict[str, Any]:
    """Return the arguments that have an agent learn from whole episodes: ``SAC("MlpPolicy", env, **drae_replay(env))``.

    TD3 and DDPG take them too. Call ``agent.replay_buffer.follow(agent)`` before it learns.

    Args:
        env: What the agent trains in, as in ``compensated_replay``: of a ``-drae-v0`` id.
        policy_clip: The largest weight of an action [-].
        deviation: Of the Gaussian around the actions of TD3 and DDPG, in units of actions from -1 to 1 [-].
        relabel_every: Steps of all lanes together after which all episodes that are over are relabelled anew.
        learn_from: Draw transitions of both domains, or of the source alone.

    Raises:
        TypeError: The environments are not of this process, or their compensation is not DRaE.
        ValueError: They have no compensation, do not learn together, or what is around it changes observations or
            actions.
    """
    settings = {
        "compensation": LiveCompensation(env),
        "policy_clip": policy_clip,
        "deviation": deviation,
        "relabel_every": relabel_every,
        "learn_from": learn_from,
    }
    _drae(settings["compensation"])
    return {"replay_buffer_class": DRaEReplayBuffer, "replay_buffer_kwargs": settings}


def _drae(compensation: Any) -> DRaE:
    if not isinstance(drae := compensation.compensation, DRaE):
        raise TypeError(
            f"Whole episodes are paid by DRaE; the compensation here is {type(drae).__name__}. Make the environment by "
            "a `-drae-v0` id, or use `compensated_replay`."
        )
    return drae
