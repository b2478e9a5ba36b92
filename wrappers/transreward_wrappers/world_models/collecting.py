"""Episodes that a policy makes in lanes, for a world model to be fitted to."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_envs.errors import require_count
from transreward_envs.failures import FAILED
from transreward_wrappers.datasets import Episode
from transreward_wrappers.policies import scale_actions

_Begun = tuple[list[Any], list[Any], list[Any]]
"""Observations, actions and rewards of an episode under way."""


class Behaviour(Protocol):
    """A policy that draws its actions, such as :class:`~transreward_wrappers.policies.GaussianPolicy`."""

    def sample(
        self, observations: NDArray[Any], generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return actions in ``[-1, 1]`` and their log-densities."""


class _Recorder:
    """Keeps the episodes of lanes that start again at the step after the last.

    Args:
        observations: The first of each lane, as ``(B, observation_size)``.
    """

    def __init__(self, observations: NDArray[Any]) -> None:
        self.steps = 0
        self._done: list[Episode] = []
        self._over = np.zeros(len(observations), dtype=np.bool_)
        self._begun: list[_Begun] = [([observation], [], []) for observation in observations]

    def take(self, actions: NDArray[Any], outcome: tuple[Any, ...]) -> NDArray[Any]:
        """Take in a step of all lanes, and return the observations to go on from."""
        observations, rewards, terminated, truncated, infos = outcome
        seen = np.array(observations)
        failed = np.broadcast_to(infos.get(FAILED, False), self._over.shape)
        for lane in map(int, np.flatnonzero(self._over)):
            self._begun[lane] = ([seen[lane]], [], [])
        for lane in map(int, np.flatnonzero(~self._over & ~failed)):
            for kept, value in zip(self._begun[lane], (seen, actions, rewards), strict=True):
                kept.append(value[lane])
            self.steps += 1
        ended = (terminated | truncated) & ~self._over
        for lane in map(int, np.flatnonzero(ended)):
            self._end(lane, terminated=bool(terminated[lane] and not failed[lane]))
        self._over = ended
        return seen

    def episodes(self) -> list[Episode]:
        """Return all episodes; those under way are cut."""
        for lane in map(int, np.flatnonzero(~self._over)):
            self._end(lane, terminated=False)
        return self._done

    def _end(self, lane: int, *, terminated: bool) -> None:
        observations, actions, rewards = self._begun[lane]
        if rewards:
            self._done.append(
                Episode(
                    observations=np.array(observations, dtype=np.float64),
                    actions=np.array(actions),
                    rewards=np.array(rewards, dtype=np.float64),
                    terminated=terminated,
                )
            )


def collect(envs: VectorEnv[Any, Any, Any], policy: Behaviour, steps: int, *, seed: int) -> list[Episode]:
    """Return episodes of ``steps`` steps in all at least; the last one of each lane is cut.

    All lanes step alike for as long as it takes, so that short episodes are not more often seen than long ones. A step
    at which the physics failed is left out. Actions are kept in ``[-1, 1]``, as the policy draws them.

    Args:
        envs: Lanes, such as ``gymnasium.make_vec(id, num_envs=16)``, that start again at the step after the last.
        policy: What acts.
        steps: Transitions.
        seed: Of the lanes and of the actions.

    Raises:
        ValueError: Spaces are not vectors, or lanes start again in another mode.
    """
    require_count("steps", steps, at_least=1)
    space = envs.single_action_space
    if not isinstance(space, Box) or len(envs.single_observation_space.shape or ()) != 1:
        raise ValueError(
            f"Observations and actions must be vectors; got {envs.single_observation_space} and {space}. "
            "Flatten them: gymnasium.wrappers.vector.FlattenObservation(envs)."
        )
    if (mode := envs.metadata.get("autoreset_mode")) is not AutoresetMode.NEXT_STEP:
        raise ValueError(f"Lanes must start again at the next step, AutoresetMode.NEXT_STEP; these have {mode!r}.")
    generator = np.random.default_rng([seed, 1])
    observations = np.array(envs.reset(seed=seed)[0])
    recorder = _Recorder(observations)
    with tqdm(total=steps, desc="collecting episodes", unit="step", leave=False, disable=None) as bar:
        while recorder.steps < steps:
            actions, _ = policy.sample(observations, generator)
            observations = recorder.take(actions, envs.step(scale_actions(actions, space)))
            bar.update(recorder.steps - bar.n)
    return recorder.episodes()
