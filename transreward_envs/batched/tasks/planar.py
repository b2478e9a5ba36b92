"""Robots of the plane: Hopper, Walker2d, HalfCheetah and Swimmer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.tasks.task import Array, Bools, Info, RunningTask


class PlanarTask(RunningTask):
    """Runs along x by the first coordinate; the first ``hidden`` coordinates may be left out of the observation."""

    hidden = 1
    clipped = False

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._first = self.hidden if domain._exclude_current_positions_from_observation else 0
        self._x, self._y = self.qpos[:, 0], self.qpos[:, 1]
        self._before = np.zeros(engine.lanes)

    def before(self) -> None:
        """Note where the robots are."""
        self._before[...] = self._x

    def observe(self) -> Array:
        """Return positions and velocities."""
        velocity = self.qvel
        if self.clipped:
            velocity = velocity.clip(-10.0, 10.0)
        return np.concatenate([self.qpos[:, self._first :], velocity], axis=1)

    def velocity(self) -> Array:
        """Return the velocities along x over the control step [m/s], as ``(lanes,)``."""
        velocity: Array = (self._x - self._before) / self.dt
        return velocity


class HopperTask(PlanarTask):
    """As Gymnasium's ``Hopper-v5``."""

    clipped = True

    def healthy(self) -> Bools:
        """Return which lanes stand upright, with all that moves within bounds."""
        low, high = self.env._healthy_state_range
        state = np.concatenate([self.qpos[:, 2:], self.qvel], axis=1)
        moderate: Bools = ((low < state) & (state < high)).all(axis=1)
        return self.upright() & moderate

    def upright(self) -> Bools:
        """Return which lanes are at a healthy height and angle."""
        height, angle = self._y, self.qpos[:, 2]
        low, high = self.env._healthy_angle_range
        upright: Bools = (self.low < height) & (height < self.high) & (low < angle) & (angle < high)
        return upright

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward running, standing and saving; end where the robot has fallen."""
        healthy, velocity = self.healthy(), self.velocity()
        terms: dict[str, Array] = {
            "reward_forward": self._weight * velocity,
            "reward_ctrl": self.control_reward(actions),
            "reward_survive": healthy.astype(np.float64) * self.env._healthy_reward,
        }
        reward, terms = self.paid(terms, velocity)
        info: Info = {
            "x_position": self._x.copy(),
            "z_distance_from_origin": self._y - self.start_qpos[:, 1],
            "x_velocity": velocity,
            **terms,
        }
        return reward, ~healthy & bool(self.env._terminate_when_unhealthy), info


class Walker2dTask(HopperTask):
    """As Gymnasium's ``Walker2d-v5``."""

    def healthy(self) -> Bools:
        """Return which lanes stand upright."""
        return self.upright()


class HalfCheetahTask(PlanarTask):
    """As Gymnasium's ``HalfCheetah-v5``; it never ends."""

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward running and saving."""
        velocity = self.velocity()
        terms: dict[str, Array] = {
            "reward_forward": self._weight * velocity,
            "reward_ctrl": self.control_reward(actions),
        }
        reward, terms = self.paid(terms, velocity)
        info: Info = {"x_position": self._x.copy(), "x_velocity": velocity, **terms}
        return reward, np.zeros(self.engine.lanes, dtype=np.bool_), info


class SwimmerTask(PlanarTask):
    """As Gymnasium's ``Swimmer-v5``; it never ends."""

    hidden = 2

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._before_y = np.zeros(engine.lanes)

    def before(self) -> None:
        """Note where the robots are."""
        super().before()
        self._before_y[...] = self._y

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward swimming along x and saving."""
        velocity = self.velocity()
        terms: dict[str, Array] = {
            "reward_forward": self._weight * velocity,
            "reward_ctrl": self.control_reward(actions),
        }
        reward, terms = self.paid(terms, velocity)
        info: Info = {
            "x_position": self._x.copy(),
            "y_position": self._y.copy(),
            "distance_from_origin": np.hypot(self._x, self._y),
            "x_velocity": velocity,
            "y_velocity": (self._y - self._before_y) / self.dt,
            **terms,
        }
        return reward, np.zeros(self.engine.lanes, dtype=np.bool_), info
