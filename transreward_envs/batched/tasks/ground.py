"""Robots that walk in space, and feel their contacts: Ant and Humanoid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.tasks.task import Array, Bools, Info, RunningTask
from transreward_envs.robots.domain import Domain


class GroundTask(RunningTask):
    """A robot whose velocity is that of a point of it, and whose contacts cost."""

    contact_forces = True

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._first = 2 if domain._exclude_current_positions_from_observation else 0
        self.place, self._before = np.zeros((engine.lanes, 2)), np.zeros((engine.lanes, 2))
        self.forces = np.zeros((engine.lanes, domain.model.nbody, 6))

    def before(self) -> None:
        """Note where the robots are."""
        self._before = self.place.copy()

    def start(self, lane: int, domain: Domain) -> None:
        """Note where the robot starts; it has felt nothing yet."""
        super().start(lane, domain)
        self.forces[lane] = domain.data.cfrc_ext

    def feel(self, lanes: Bools) -> None:
        """Read the forces of contacts in the lanes that took a step."""
        for lane in np.flatnonzero(lanes):
            self.forces[lane] = self.engine.contact_forces(int(lane))

    def moved(self, lanes: Bools, place: Array) -> Array:
        """Note where the robots are now, and return the velocities of the step, as ``(lanes, 2)``."""
        self.place[lanes] = place[lanes]
        velocity: Array = (self.place - self._before) / self.dt[:, None]
        return velocity

    def whereabouts(self, velocity: Array) -> Info:
        """Return what both robots report."""
        return {
            "x_position": self.qpos[:, 0].copy(),
            "y_position": self.qpos[:, 1].copy(),
            "distance_from_origin": np.hypot(self.qpos[:, 0], self.qpos[:, 1]),
            "x_velocity": velocity[:, 0],
            "y_velocity": velocity[:, 1],
        }


class AntTask(GroundTask):
    """As Gymnasium's ``Ant-v5``."""

    fields = ("xpos",)

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._body = domain.model.body(domain._main_body).id

    def start(self, lane: int, domain: Domain) -> None:
        """Note where the torso starts."""
        super().start(lane, domain)
        self.place[lane] = domain.data.xpos[self._body, :2]

    def observe(self, lanes: NDArray[np.int32] | slice) -> Array:
        """Return positions, velocities and clipped contact forces."""
        parts = [self.qpos[lanes, self._first :], self.qvel[lanes]]
        if self.env._include_cfrc_ext_in_observation:
            felt = np.clip(self.forces[lanes, 1:], *self.env._contact_force_range)
            parts.append(felt.reshape(len(felt), -1))
        return np.concatenate(parts, axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward running, standing, saving and treading softly; end where the robot lies or flies."""
        self.feel(lanes)
        velocity = self.moved(lanes, self.engine.derived["xpos"][:, self._body, :2])
        height = self.qpos[:, 2]
        finite = np.isfinite(self.qpos).all(axis=1) & np.isfinite(self.qvel).all(axis=1)
        healthy = finite & (self.low <= height) & (height <= self.high)
        felt = np.clip(self.forces, *self.env._contact_force_range)
        terms: dict[str, Array] = {
            "reward_forward": velocity[:, 0] * self._weight,
            "reward_ctrl": -self.control_cost(actions),
            "reward_contact": -self.env._contact_cost_weight * np.square(felt).sum(axis=(1, 2)),
            "reward_survive": healthy.astype(np.float64) * self.env._healthy_reward,
        }
        reward, terms = self.paid(terms, velocity[:, 0])
        return reward, ~healthy & bool(self.env._terminate_when_unhealthy), {**self.whereabouts(velocity), **terms}


class HumanoidTask(GroundTask):
    """As Gymnasium's ``Humanoid-v5``."""

    fields = ("xipos", "cinert", "cvel", "qfrc_actuator", "ten_length", "ten_velocity")

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._masses = np.tile(domain.model.body_mass, (engine.lanes, 1))
        self._parts = {name: array.copy() for name, array in engine.derived.items()}

    def start(self, lane: int, domain: Domain) -> None:
        """Note the lane's masses, its centre of mass, and what its observation reads."""
        super().start(lane, domain)
        self._masses[lane] = domain.model.body_mass
        for name, array in self._parts.items():
            array[lane] = getattr(domain.data, name)
        self.place[lane] = self._centres()[lane]

    def change(self, lane: int, domain: Domain) -> None:
        """Follow a change of a lane's masses within an episode."""
        super().change(lane, domain)
        self._masses[lane] = domain.model.body_mass
        self.place[lane] = self._centres()[lane]

    def observe(self, lanes: NDArray[np.int32] | slice) -> Array:
        """Return positions, velocities, inertias, velocities and forces of bodies."""
        env, parts = self.env, [self.qpos[lanes, self._first :], self.qvel[lanes]]
        if env._include_cinert_in_observation is True:
            parts.append(self._flat("cinert", lanes, 1))
        if env._include_cvel_in_observation is True:
            parts.append(self._flat("cvel", lanes, 1))
        if env._include_qfrc_actuator_in_observation is True:
            parts.append(self._flat("qfrc_actuator", lanes, 6))
        if env._include_cfrc_ext_in_observation is True:
            parts.append(self.forces[lanes, 1:].reshape(len(parts[0]), -1))
        return np.concatenate(parts, axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward running, standing, saving and treading softly; end where the robot has fallen."""
        self.feel(lanes)
        for name, array in self._parts.items():
            array[lanes] = self.engine.derived[name][lanes]
        velocity, height = self.moved(lanes, self._centres()), self.qpos[:, 2]
        healthy = (self.low < height) & (height < self.high)
        contact = self.env._contact_cost_weight * np.square(self.forces).sum(axis=(1, 2))
        terms: dict[str, Array] = {
            "reward_survive": healthy.astype(np.float64) * self.env._healthy_reward,
            "reward_forward": self._weight * velocity[:, 0],
            "reward_ctrl": -self.env._ctrl_cost_weight * np.square(self.engine.ctrl).sum(axis=1),
            "reward_contact": -np.clip(contact, *self.env._contact_cost_range),
        }
        reward, terms = self.paid(terms, velocity[:, 0])
        info = {
            **self.whereabouts(velocity),
            "tendon_length": self._parts["ten_length"].copy(),
            "tendon_velocity": self._parts["ten_velocity"].copy(),
            **terms,
        }
        return reward, ~healthy & bool(self.env._terminate_when_unhealthy), info

    def _flat(self, name: str, lanes: NDArray[np.int32] | slice, first: int) -> Array:
        """Return a field without its first entries, a row a lane."""
        values = self._parts[name][lanes][:, first:]
        return values.reshape(len(values), -1)

    def _centres(self) -> Array:
        """Return the centres of mass along x and y [m], as ``(lanes, 2)``."""
        weighted = np.einsum("nb,nbj->nj", self._masses, self._parts["xipos"])
        centres: Array = (weighted / self._masses.sum(axis=1, keepdims=True))[:, :2]
        return centres
