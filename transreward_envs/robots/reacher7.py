"""Reacher7: seven-joint arm that reaches for a point, the setting of DARC's broken reacher."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, ClassVar

import numpy as np
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_envs.robots.domain import Domain

JOINTS = 7
GOAL_LOW, GOAL_HIGH = (0.35, -0.4, 0.35), (0.6, 0.4, 0.9)
"""Corners of the box from which goals are drawn [m]; the arm reaches all of it."""


class Reacher7Env(MujocoEnv):
    """A seven-joint arm without gravity (after Eysenbach et al., 2021, arXiv:2006.13916; the model is our own).

    The observation holds seven joint angles [rad], their velocities [rad/s], the fingertip's position and the way from
    there to the goal [m]. The reward is -distance [m] - ``reward_control_weight`` * squared norm of the action.

    Args:
        xml_file: Path of a model with the same joints and bodies.
        frame_skip: Simulation steps of 0.01 s an action lasts.
        reward_control_weight: Weight of the control cost [-].
        reset_noise_scale: Half width of the initial joint angles [rad].
        kwargs: Keywords of ``MujocoEnv``.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]}  # noqa: RUF012

    def __init__(
        self,
        xml_file: str | None = None,
        frame_skip: int = 2,
        reward_control_weight: float = 0.01,
        reset_noise_scale: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self._reward_control_weight = reward_control_weight
        self._reset_noise_scale = reset_noise_scale
        path = xml_file or str(files("transreward_assets") / "models" / "reacher7.xml")
        space = Box(-np.inf, np.inf, shape=(2 * JOINTS + 6,), dtype=np.float64)
        super().__init__(path, frame_skip, observation_space=space, **kwargs)
        self.metadata = {**self.metadata, "render_fps": int(np.round(1.0 / self.dt))}
        self.observation_structure = {"qpos": JOINTS, "qvel": JOINTS, "fingertip": 3, "to_goal": 3}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], np.float64, bool, bool, dict[str, Any]]:
        """Advance by one action; an episode ends by its time limit alone."""
        self.do_simulation(action, self.frame_skip)
        distance = np.linalg.norm(self._to_goal())
        cost = self._reward_control_weight * np.square(action).sum()
        info = {"reward_dist": -distance, "reward_ctrl": -cost, "distance": distance}
        if self.render_mode == "human":
            self.render()
        return self._get_obs(), -distance - cost, False, False, info

    def reset_model(self) -> NDArray[np.float64]:
        """Draw joint angles near the rest pose, and a goal."""
        noise = self._reset_noise_scale
        qpos, qvel = self.init_qpos.copy(), self.init_qvel.copy()
        qpos[:JOINTS] += self.np_random.uniform(-noise, noise, size=JOINTS)
        qvel[:JOINTS] += self.np_random.uniform(-0.005, 0.005, size=JOINTS)
        qpos[JOINTS:] = self.np_random.uniform(GOAL_LOW, GOAL_HIGH)
        self.set_state(qpos, qvel)
        return self._get_obs()

    def _to_goal(self) -> NDArray[np.float64]:
        """Return the way from the fingertip to the goal [m], as ``(3,)``."""
        way: NDArray[np.float64] = self.get_body_com("goal") - self.get_body_com("fingertip")
        return way

    def _get_obs(self) -> NDArray[np.float64]:
        tip = self.get_body_com("fingertip")
        return np.concatenate([self.data.qpos[:JOINTS], self.data.qvel[:JOINTS], tip, self._to_goal()])


class Reacher7(Domain, Reacher7Env):
    """The arm, with shifts."""

    step_info: ClassVar[tuple[str, ...]] = ("reward_dist", "reward_ctrl", "distance")
