"""The reward wrapper: environment reward plus compensation, or compensation in place of it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs

from transreward_envs.failures import FAILED
from transreward_envs.pairs import Pair
from transreward_envs.training.joined import join_environments
from transreward_envs.training.roles import DOMAIN_INDEX
from transreward_wrappers.bound import BoundCompensation, HasCompensation, load_compensation
from transreward_wrappers.compensation import Compensation, Follower, Transitions

Env = gym.Env[Any, Any]
ONE = np.ones(1, dtype=np.bool_)
"""The one lane that a single environment is."""


class Compensate(HasCompensation, gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Pay ``env reward + compensation``; observations, actions and the ends of episodes pass through untouched.

    ``info["reward/env"]`` and ``info["reward/compensation"]`` sum to the reward exactly; the return of compensated
    rewards is ``info["episode_compensated"]``, beside the environment's own ``info["episode_env"]``. A compensation
    that replaces the environment's reward is all that is paid; ``info["reward/env"]`` is for logging alone then. One
    that pays for whole episodes may append to observations how far an episode has come. What the
    compensation must fit is fitted at the first reset, and cached. A reset with a seed reseeds both domains and the
    compensation; it forgets nothing that was learnt.

    Args:
        env: The domains, their time limit and episode statistics.
        pair: The pair that ``env`` acts in, as :meth:`~transreward_envs.Pair.to_json` gives it, or as a value.
        compensation: ``module:class`` of a compensation, or the class.
        settings: Keywords of that class.
        shared_state: Folder through which several processes learn together; each learns for itself when ``None``.

    Raises:
        ValueError: The compensation cannot serve the pair, or a setting is unknown or breaks its rule.
        TypeError: ``env`` compensates already, or has no box spaces.
    """

    def __init__(
        self,
        env: Env,
        *,
        pair: Pair | dict[str, Any],
        compensation: str | type[Compensation],
        settings: dict[str, Any] | None = None,
        shared_state: str | None = None,
    ) -> None:
        from transreward_envs.robots.keywords import plain_json  # needs MuJoCo

        pair = pair if isinstance(pair, Pair) else Pair.from_json(pair)
        cls = load_compensation(compensation)
        RecordConstructorArgs.__init__(
            self,
            pair=pair.to_json(),
            compensation=f"{cls.__module__}:{cls.__qualname__}",
            settings=plain_json(settings or {}),
            shared_state=plain_json(shared_state),
        )
        gym.Wrapper.__init__(self, env)
        require_uncompensated(env)
        self._bound = BoundCompensation(
            pair,
            cls,
            settings or {},
            observation_space=env.observation_space,
            action_space=env.action_space,
            shared_state=shared_state,
        )
        if observed := self.compensation.observed:
            self.observation_space = extended(env.observation_space, observed)
        self._follower: Follower | None = None
        self._observation: Any = None
        self._compensated_return, self._length = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; fit the compensation if this is the first."""
        self._bound.prepare()
        if seed is not None:
            self.compensation.reseed(seed)
        self._observation, info = self.env.reset(seed=seed, options=options)
        self._compensated_return, self._length = 0.0, 0
        if self._follower is None:
            self._follower = self._bound.follower(1)
        if self._follower is not None:
            self._follower.start(ONE)
        return self._shown(), {**info, "reward/env": 0.0, "reward/compensation": 0.0}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, compensate, and let the compensation learn from what it has just paid."""
        following, reward, terminated, truncated, info = self.env.step(action)
        batch = Transitions(
            observation=np.asarray(self._observation)[None],
            action=np.asarray(action, dtype=np.float64)[None],
            reward=self._bound.own(np.array([reward])),
            next_observation=np.asarray(following)[None],
            terminated=np.array([terminated]),
            domain=np.array([info.get("domain", DOMAIN_INDEX["target"])]),
        )
        delta = 0.0 if info.get(FAILED, False) else float(self._bound.pay(batch, self._follower, ONE)[0])
        self._observation = following
        total = float(batch.reward[0]) + delta
        self._compensated_return += total
        self._length += 1
        info = {**info, "reward/env": float(reward), "reward/compensation": delta}
        if terminated or truncated:
            info["episode_compensated"] = {"r": self._compensated_return, "l": self._length}
        return self._shown(), total, terminated, truncated, info

    def join(self, other: Compensate) -> None:
        """Learn, count steps and spend the budget together with another environment of this process.

        Raises:
            ValueError: The other has another pair or compensation, or other settings.
            RuntimeError: An episode has been started.
        """
        if (mine := self._bound.identity()) != (theirs := other._bound.identity()):
            raise ValueError(
                "Environments that learn together have the same pair, compensation and settings; got "
                f"{mine} and {theirs}."
            )
        join_environments([other.env, self.env])
        self._bound, self._follower = other._bound, None

    def _shown(self) -> Any:
        """Return the observation, with what the compensation appends to it."""
        if self._follower is None or not self.compensation.observed:
            return self._observation
        return np.concatenate([self._observation, self._follower.observe()[0]], dtype=self.observation_space.dtype)


def extended(space: gym.Space[Any], numbers: int) -> Box:
    """Return the space of observations to which so many numbers >= 0 are appended."""
    assert isinstance(space, Box)
    low, high = (np.append(bound, [edge] * numbers) for bound, edge in ((space.low, 0.0), (space.high, np.inf)))
    return Box(low=low.astype(space.dtype), high=high.astype(space.dtype), dtype=space.dtype.type)


def require_uncompensated(env: Any) -> None:
    """Check that an environment, or lanes, have no compensation yet.

    Raises:
        TypeError: They have.
    """
    layer = env
    while isinstance(layer, (gym.Wrapper, gym.vector.VectorWrapper)):
        if isinstance(bound := vars(layer).get("_bound"), BoundCompensation):
            raise TypeError(
                f"An environment is compensated once; this one has {type(bound.compensation).__name__} already. "
                "Wrap the domains themselves, such as those of a `-mixture-v0` id."
            )
        layer = layer.env
