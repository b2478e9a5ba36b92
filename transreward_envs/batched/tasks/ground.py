"""Robots that walk in space, and feel their contacts: Ant and Humanoid."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.tasks.task import Array, Bools, Info, RunningTask
from transreward_envs.robots.domain import Domain


class GroundTask(RunningTask):
    """A robot whose velocity is that of a point of it, and whose contacts cost."""

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._first = 2 if domain._exclude_current_positions_from_observation else 0
        self.forces = engine.derived["cfrc_ext"]
        self._x, self._y = self.qpos[:, 0], self.qpos[:, 1]
        self._before = np.zeros((engine.lanes, 2))

    @abstractmethod
    def place(self) -> Array:
        """Return where the robots are [m], as ``(lanes, 2)``."""

    def before(self) -> None:
        """Note where the robots are."""
        self._before[...] = self.place()

    def velocity(self) -> Array:
        """Return the velocities over the control step [m/s], as ``(lanes, 2)``."""
        velocity: Array = (self.place() - self._before) / self.dt[:, None]
        return velocity

    def whereabouts(self, velocity: Array) -> Info:
        """Return what both robots report."""
        return {
            "x_position": self._x.copy(),
            "y_position": self._y.copy(),
            "distance_from_origin": np.hypot(self._x, self._y),
            "x_velocity": velocity[:, 0],
            "y_velocity": velocity[:, 1],
        }


class AntTask(GroundTask):
    """As Gymnasium's ``Ant-v5``."""

    fields = ("xpos", "cfrc_ext")

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._torso = engine.derived["xpos"][:, domain.model.body(domain._main_body).id, :2]
        self._felt = self.forces.copy()

    def place(self) -> Array:
        """Return where the torsos are [m], as ``(lanes, 2)``."""
        return self._torso

    def observe(self) -> Array:
        """Return positions, velocities and clipped contact forces."""
        parts = [self.qpos[:, self._first :], self.qvel]
        if self.env._include_cfrc_ext_in_observation:
            parts.append(self._felt[:, 1:].reshape(self.engine.lanes, -1))
        return np.concatenate(parts, axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward running, standing, saving and treading softly; end where the robot lies or flies."""
        self.forces.clip(*self.env._contact_force_range, out=self._felt)
        velocity, height = self.velocity(), self.qpos[:, 2]
        finite = np.isfinite(self.qpos).all(axis=1) & np.isfinite(self.qvel).all(axis=1)
        healthy = finite & (self.low <= height) & (height <= self.high)
        terms: dict[str, Array] = {
            "reward_forward": velocity[:, 0] * self._weight,
            "reward_ctrl": self.control_reward(actions),
            "reward_contact": -self.env._contact_cost_weight * np.square(self._felt).sum(axis=(1, 2)),
            "reward_survive": healthy.astype(np.float64) * self.env._healthy_reward,
        }
        reward, terms = self.paid(terms, velocity[:, 0])
        return reward, ~healthy & bool(self.env._terminate_when_unhealthy), {**self.whereabouts(velocity), **terms}


class HumanoidTask(GroundTask):
    """As Gymnasium's ``Humanoid-v5``."""

    fields = ("xipos", "cinert", "cvel", "qfrc_actuator", "ten_length", "ten_velocity", "cfrc_ext")

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._masses = np.tile(domain.model.body_mass, (engine.lanes, 1))
        self._centres, self._moved = np.zeros((engine.lanes, 2)), True

    def place(self) -> Array:
        """Return the centres of mass [m], as ``(lanes, 2)``."""
        if self._moved:
            weighted = np.einsum("nb,nbj->nj", self._masses, self.engine.derived["xipos"][:, :, :2])
            self._centres = weighted / self._masses.sum(axis=1, keepdims=True)
            self._moved = False
        return self._centres

    def start(self, lane: int, domain: Domain) -> None:
        """Note the lane's masses, and its centre of mass."""
        super().start(lane, domain)
        self._masses[lane] = domain.model.body_mass
        self._moved = True

    def change(self, lane: int, domain: Domain) -> None:
        """Follow a change of a lane's masses within an episode."""
        super().change(lane, domain)
        self._masses[lane] = domain.model.body_mass
        self._moved = True

    def observe(self) -> Array:
        """Return positions, velocities, inertias, velocities and forces of bodies."""
        env, parts = self.env, [self.qpos[:, self._first :], self.qvel]
        if env._include_cinert_in_observation is True:
            parts.append(self._flat("cinert", 1))
        if env._include_cvel_in_observation is True:
            parts.append(self._flat("cvel", 1))
        if env._include_qfrc_actuator_in_observation is True:
            parts.append(self._flat("qfrc_actuator", 6))
        if env._include_cfrc_ext_in_observation is True:
            parts.append(self._flat("cfrc_ext", 1))
        return np.concatenate(parts, axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward running, standing, saving and treading softly; end where the robot has fallen."""
        self._moved = True
        velocity, height = self.velocity(), self.qpos[:, 2]
        healthy = (self.low < height) & (height < self.high)
        contact = self.env._contact_cost_weight * np.square(self.forces).sum(axis=(1, 2))
        terms: dict[str, Array] = {
            "reward_survive": healthy.astype(np.float64) * self.env._healthy_reward,
            "reward_forward": self._weight * velocity[:, 0],
            "reward_ctrl": self.control_reward(actions.astype(np.float64)),
            "reward_contact": -contact.clip(*self.env._contact_cost_range),
        }
        reward, terms = self.paid(terms, velocity[:, 0])
        info = {
            **self.whereabouts(velocity),
            "tendon_length": self.engine.derived["ten_length"].copy(),
            "tendon_velocity": self.engine.derived["ten_velocity"].copy(),
            **terms,
        }
        return reward, ~healthy & bool(self.env._terminate_when_unhealthy), info

    def _flat(self, name: str, first: int) -> Array:
        """Return a field without its first entries, a row a lane."""
        return self.engine.derived[name][:, first:].reshape(self.engine.lanes, -1)
