"""Arms that reach or push; they never end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.batched.tasks.task import Array, Bools, Info, Task
from transreward_envs.robots.reacher7 import JOINTS


class ArmTask(Task):
    """A task about where bodies are."""

    fields = ("xpos",)

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._places = engine.derived["xpos"]
        self._ids = {domain.model.body(body).name: body for body in range(domain.model.nbody)}

    def before(self) -> None:
        """Nothing: the reward is of the state alone."""

    def place(self, body: str) -> Array:
        """Return where a body is [m], as ``(lanes, 3)``."""
        places: Array = self._places[:, self._ids[body]]
        return places

    def far(self, one: str, other: str) -> Array:
        """Return how far two bodies are apart [m], as ``(lanes,)``."""
        distance: Array = np.linalg.norm(self.place(one) - self.place(other), axis=1)
        return distance

    def paid(self, terms: dict[str, Array], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Return the sum of the terms, no termination, and the terms."""
        reward: Array = np.asarray(sum(terms.values()), dtype=np.float64)
        return reward, np.zeros(self.engine.lanes, dtype=np.bool_), dict(terms)


class ReacherTask(ArmTask):
    """As Gymnasium's ``Reacher-v5``."""

    def observe(self) -> Array:
        """Return the angles' cosines and sines, the target, velocities, and the way to the target."""
        qpos, qvel = self.qpos, self.qvel
        way = (self.place("fingertip") - self.place("target"))[:, :2]
        return np.concatenate([np.cos(qpos[:, :2]), np.sin(qpos[:, :2]), qpos[:, 2:], qvel[:, :2], way], axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward being near and saving."""
        terms: dict[str, Array] = {
            "reward_dist": -self.far("fingertip", "target") * self.env._reward_dist_weight,
            "reward_ctrl": -np.square(actions).sum(axis=1) * self.env._reward_control_weight,
        }
        return self.paid(terms, lanes)


class PusherTask(ArmTask):
    """As Gymnasium's ``Pusher-v5``."""

    def observe(self) -> Array:
        """Return the arm's positions and velocities, and where tip, object and goal are."""
        places = [self.place(body) for body in ("tips_arm", "object", "goal")]
        return np.concatenate([self.qpos[:, :7], self.qvel[:, :7], *places], axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward the object near its goal, the tip near the object, and saving."""
        terms: dict[str, Array] = {
            "reward_dist": -self.far("object", "goal") * self.env._reward_dist_weight,
            "reward_ctrl": -np.square(actions).sum(axis=1) * self.env._reward_control_weight,
            "reward_near": -self.far("object", "tips_arm") * self.env._reward_near_weight,
        }
        return self.paid(terms, lanes)


class Reacher7Task(ArmTask):
    """As :class:`~transreward_envs.robots.reacher7.Reacher7Env`."""

    def observe(self) -> Array:
        """Return the joints' positions and velocities, the tip, and the way to the goal."""
        tip = self.place("fingertip")
        way = self.place("goal") - tip
        return np.concatenate([self.qpos[:, :JOINTS], self.qvel[:, :JOINTS], tip, way], axis=1)

    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Reward being near and saving."""
        distance = self.far("goal", "fingertip")
        terms: dict[str, Array] = {
            "reward_dist": -distance,
            "reward_ctrl": -self.env._reward_control_weight * np.square(actions).sum(axis=1),
        }
        reward, terminated, info = self.paid(terms, lanes)
        return reward, terminated, {**info, "distance": distance}
