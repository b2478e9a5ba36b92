"""A Stable-Baselines3 ``VecEnv`` over any Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn

import transreward_envs
from transreward_baselines.lanes import find_attribute, make_lanes
from transreward_envs.batched.infos import lane_info
from transreward_envs.training.episodes import EpisodeSums
from transreward_envs.training.roles import STATISTICS_KEY

gym.register_envs(transreward_envs)


class VectorEnvAdapter(VecEnv):
    """What Stable-Baselines3 expects, from lanes that step in one call.

    At an episode's end, ``infos[lane]`` has ``terminal_observation``, ``TimeLimit.truncated`` and ``episode`` with the
    return ``r``, the length ``l`` and the time ``t``; the observation is the first of the next episode. Where rewards
    are compensated, ``episode`` is the environment's own return, and ``episode_compensated`` the other.

    ``get_attr`` and ``env_method`` find what the wrappers around the lanes have, such as ``diagnostics`` and ``steps``,
    and then what each lane's domain has.

    Args:
        envs: The lanes, which start again in the step that ends an episode (``autoreset_mode="SameStep"``).
        reports: Whether ``infos`` hold what each lane reports at each step, or, which is quicker, at episodes' ends
            only.

    Raises:
        ValueError: The lanes start again otherwise.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], *, reports: bool = True) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise ValueError(
                "Stable-Baselines3 needs lanes that start again in the step that ends an episode; these have "
                f'{envs.metadata.get("autoreset_mode")}. Make them with autoreset_mode="SameStep".'
            )
        self.envs = envs
        self._reports = reports
        self._actions: Any = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._episodes = EpisodeSums(envs.num_envs)

    def reset(self) -> VecEnvObs:
        """Start episodes in all lanes."""
        seeds = self._seeds if any(seed is not None for seed in self._seeds) else None
        if any(options != self._options[0] for options in self._options):
            raise ValueError("Lanes start together, with the same options; these differ from lane to lane.")
        observations, infos = self.envs.reset(seed=seeds, options=self._options[0] or None)  # type: ignore[arg-type]
        self.reset_infos = [lane_info(infos, lane) for lane in range(self.num_envs)]
        self._episodes.start(np.ones(self.num_envs, dtype=np.bool_))
        self._reset_seeds()
        self._reset_options()
        return np.array(observations)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the lanes at their next reset: ``seed``, ``seed + 1`` and so on."""
        drawn = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        self._seeds = [drawn + lane for lane in range(self.num_envs)]
        return self._seeds

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Note the actions."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step all lanes."""
        observations, rewards, terminated, truncated, infos = self.envs.step(self._actions)
        done = terminated | truncated
        self._episodes.add(rewards, np.ones(self.num_envs, dtype=np.bool_))
        ended: dict[str, Any] = {}
        self._episodes.tell(ended, "episode", done)
        self._episodes.start(done)
        limited = truncated & ~terminated
        listed: list[dict[str, Any]] = []
        for lane in range(self.num_envs):
            info = infos["final_info"] if done[lane] else infos
            told = lane_info(info, lane) if self._reports or done[lane] else {}
            listed.append({**told, "TimeLimit.truncated": bool(limited[lane]) and not told.get("physics_failed")})
        for lane in map(int, np.flatnonzero(done)):
            listed[lane]["terminal_observation"] = infos["final_obs"][lane]
            episode = listed[lane].get(STATISTICS_KEY) or lane_info(ended, lane)["episode"]
            listed[lane]["episode"] = {name: value.item() for name, value in episode.items()}
        return np.array(observations), rewards.astype(np.float32), done, listed

    def get_images(self) -> Sequence[np.ndarray[Any, Any] | None]:
        """Return a frame of each lane."""
        return list(self.envs.unwrapped.call("render"))  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the lanes."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of each lane's environment, or of the wrappers around all lanes."""
        lanes = list(self._get_indices(indices))
        if (found := find_attribute(self.envs, attr_name)) is not None:
            return [found] * len(lanes)
        values = self.envs.unwrapped.get_attr(attr_name)  # type: ignore[attr-defined]
        return [values[lane] for lane in lanes]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refused: lanes may share an environment."""
        raise NotImplementedError(
            f"Lanes share environments, so {attr_name!r} cannot be set for one alone; give it when making them."
        )

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each lane's environment, or, once, of the wrappers around all lanes."""
        lanes = list(self._get_indices(indices))
        if (found := find_attribute(self.envs, method_name)) is not None:
            return [found(*method_args, **method_kwargs)] * len(lanes)
        if isinstance(singles := self.envs.unwrapped, SyncVectorEnv):
            return [singles.envs[lane].get_wrapper_attr(method_name)(*method_args, **method_kwargs) for lane in lanes]
        results = self.envs.unwrapped.call(method_name, *method_args, **method_kwargs)  # type: ignore[attr-defined]
        return [results[lane] for lane in lanes]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Say that lanes have no wrappers, but keep the statistics that Stable-Baselines3's ``Monitor`` keeps."""
        from stable_baselines3.common.monitor import Monitor

        return [wrapper_class is Monitor] * len(list(self._get_indices(indices)))


def make_vec(
    id: str, n_envs: int, *, seed: int | None = None, reports: bool = True, **keywords: Any
) -> VectorEnvAdapter:
    """Make the lanes of an id that an agent of Stable-Baselines3 takes as its environment.

    Args:
        id: A domain id or a training id; what does not step in lanes is stepped one by one.
        n_envs: Number of lanes.
        seed: Of lane 0, the next of lane 1 and so on.
        reports: Whether lanes report at each step, or at episodes' ends only.
        keywords: Of the id, ``threads`` among them.
    """
    adapter = VectorEnvAdapter(make_lanes(id, n_envs, settings=keywords), reports=reports)
    if seed is not None:
        adapter.seed(seed)
    return adapter
