"""The compensation of the environments that an agent of Stable-Baselines3 trains in, as it is at any moment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.vector import SyncVectorEnv, VectorActionWrapper, VectorObservationWrapper, VectorWrapper
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper

from transreward_baselines.lanes import Array, Bools
from transreward_baselines.sb3.lanes import VectorEnvAdapter
from transreward_wrappers.bound import HasCompensation
from transreward_wrappers.compensation import Compensation, Transitions

Env = gym.Env[Any, Any]
CHANGING = (gym.ObservationWrapper, gym.ActionWrapper, VectorObservationWrapper, VectorActionWrapper)


class LiveCompensation:
    """The compensation of environments that are trained in, as it is whenever it is asked.

    It holds on to the environments, so that it is never kept: copies and pickles of it are detached.

    Args:
        env: The environment, the lanes, or what Stable-Baselines3 has made of them; detached when ``None``.

    Raises:
        TypeError: These are no environments of this process.
        ValueError: They have no compensation, do not learn together, or what is around it changes observations or
            actions.
    """

    def __init__(self, env: Env | VecEnv | None = None) -> None:
        found = None if env is None else find_compensator(env)
        self.replaces = found is not None and found.compensation.replaces
        """Whether the environment's own rewards are no part of what is paid."""
        self._compensator = found

    def __call__(self, batch: Transitions, failed: Bools) -> Array:
        """Return what is paid for transitions, as ``(B,)``.

        Args:
            batch: The transitions.
            failed: In which the physics has failed, as ``(B,)``.

        Raises:
            RuntimeError: It is detached.
            CompensationError: It is not finite.
        """
        return self._attached().paid_for(batch, failed)

    @property
    def compensation(self) -> Compensation:
        """The compensation itself.

        Raises:
            RuntimeError: It is detached.
        """
        return self._attached().compensation

    def __reduce__(self) -> Any:
        """Leave the environments behind."""
        return LiveCompensation, ()

    def _attached(self) -> HasCompensation:
        if self._compensator is None:
            raise RuntimeError(
                "A replay buffer that was loaded or copied has no compensation; the environment it came from stays "
                "behind. Call `agent.replay_buffer.attach(env)` with the environment that the agent trains in."
            )
        return self._compensator


def find_compensator(env: Env | VecEnv) -> HasCompensation:
    """Return what compensates the rewards of environments, of the first of those that learn together.

    Raises:
        TypeError: These are no environments of this process.
        ValueError: They have no compensation, do not learn together, it pays for whole episodes, or what is around it
            changes observations or actions.
    """
    found = [_compensator(stack) for stack in _stacks(env)]
    if any(one.compensation is not found[0].compensation for one in found):
        raise ValueError(
            f"Rewards are relabelled by one compensation; these {len(found)} environments have one each. Make lanes by "
            "`make_vec`, or call `transreward_envs.training.join_environments` on the environments first."
        )
    if found[0].compensation.follows:
        raise ValueError(
            f"Rewards are relabelled transition by transition; {type(found[0].compensation).__name__} pays for how an "
            "episode goes, with these settings. Leave `compensated_replay` out."
        )
    return found[0]


def _stacks(env: Any) -> list[Any]:
    """Return the environments, each with its wrappers, or all lanes with theirs."""
    while isinstance(env, VecEnvWrapper):
        if env.observation_space.shape != env.venv.observation_space.shape:
            raise ValueError(_changes(env))
        env = env.venv
    if isinstance(env, DummyVecEnv):
        return list(env.envs)
    if isinstance(env, VectorEnvAdapter):
        return list(env.envs.envs) if isinstance(env.envs, SyncVectorEnv) else [env.envs]
    if isinstance(env, gym.Env):
        return [env]
    raise TypeError(
        "A replay buffer asks the compensation of environments in its own process: one environment, lanes by "
        f"`make_vec`, or a DummyVecEnv; got {type(env).__name__}."
    )


def _compensator(stack: Any) -> HasCompensation:
    """Return the wrapper that compensates rewards, once it is clear that nothing around it changes what it sees."""
    layer, around = stack, []
    while not isinstance(layer, HasCompensation):
        if not isinstance(layer, (gym.Wrapper, VectorWrapper)):
            raise ValueError(
                f"These environments have no compensation: {layer}. Make them by an id that has one, such as "
                "TransReward/<pair>-darc-v0, or leave `compensated_replay` out."
            )
        around.append(layer)
        layer = layer.env
    for wrapper in around:
        same = all(getattr(wrapper, name) == getattr(layer, name) for name in ("observation_space", "action_space"))
        if isinstance(wrapper, CHANGING) or not same:
            raise ValueError(_changes(wrapper))
    return layer


def _changes(wrapper: Any) -> str:
    return (
        "A compensation needs the environment's own observations and actions from the replay buffer; "
        f"{type(wrapper).__name__} around it changes them. Leave it out; `VecNormalize` is understood."
    )
