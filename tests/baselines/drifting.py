"""A compensation that says something else after every step, and keeps what it has paid for."""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv

from transreward_baselines.sb3.lanes import VectorEnvAdapter
from transreward_envs import get_pair
from transreward_envs.training import join_environments
from transreward_wrappers import Compensate, CompensateLanes, Compensation, Transitions

PAIR = get_pair("InvertedPendulum-gravity-2.0")
SHORT = {"time_limit": 7, "target_ratio": 0.5}
FORMS = ("single", "dummy", "lanes")
LANES = 3


@dataclass(kw_only=True, eq=False)
class Drifting(Compensation):
    """Looks at all there is of a transition, and multiplies it by a number that grows as it learns."""

    acts_in: ClassVar = "both"

    pace: float = 0.125
    broken: bool = False

    def bind(self, observation_size: int, action_size: int) -> None:
        self.scale = 0.5
        self.paid: list[Transitions] = []

    def update(self, batch: Transitions) -> None:
        self.scale += self.pace
        self.paid.append(batch)

    def __call__(self, batch: Transitions) -> np.ndarray:
        change = batch.next_observation[:, 1] - batch.observation[:, 0]
        rest = np.where(batch.terminated, 5.0, 1.0) * (batch.domain - 0.25) + 0.5 * batch.reward
        return self.scale * (np.nan if self.broken else 1.0) * (change + 3.0 * batch.action[:, 0] + rest)

    def log(self) -> Transitions:
        """Return all that was paid for, in the order in which it was."""
        return Transitions(
            **{
                field.name: np.concatenate([getattr(batch, field.name) for batch in self.paid])
                for field in fields(Transitions)
            }
        )


def drifting_lanes(mode: str = "SameStep", **settings: Any) -> CompensateLanes:
    """Return lanes that it compensates."""
    lanes = gym.make_vec(PAIR.id("mixture"), num_envs=LANES, autoreset_mode=mode, **SHORT)
    return CompensateLanes(lanes, pair=PAIR, compensation=Drifting, settings=settings)


def drifting_env(**settings: Any) -> Compensate:
    """Return one environment that it compensates."""
    return Compensate(gym.make(PAIR.id("mixture"), **SHORT), pair=PAIR, compensation=Drifting, settings=settings)


def drifting(form: str, **settings: Any) -> Any:
    """Return what an agent of Stable-Baselines3 trains in, and that it compensates."""
    if form == "single":
        return drifting_env(**settings)
    if form == "lanes":
        return VectorEnvAdapter(drifting_lanes(**settings))
    envs = [drifting_env(**settings) for _ in range(LANES)]
    join_environments(envs)
    return DummyVecEnv([partial(lambda env: env, env) for env in envs])


def drifting_in(env: Any) -> Drifting:
    """Return the compensation itself."""
    compensation = env.get_attr("compensation")[0] if hasattr(env, "get_attr") else env.compensation
    assert isinstance(compensation, Drifting)
    return compensation
