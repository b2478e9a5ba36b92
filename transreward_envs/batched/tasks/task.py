"""What a robot's task is, for all lanes at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import Engine
from transreward_envs.robots.domain import Domain

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Info = dict[str, NDArray[Any]]


class Task(ABC):
    """Observation, reward and termination of one robot; each lane agrees with Gymnasium's environment of one.

    Settings that all lanes share are read from one domain; those that shifts change are kept lane by lane.

    Args:
        domain: Any lane's domain.
        engine: The lanes.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    """Derived fields that the task reads, as they were after the lane's last step or start."""

    def __init__(self, domain: Any, engine: Engine) -> None:
        self.env = domain
        self.engine = engine
        self.qpos, self.qvel = engine.qpos, engine.qvel
        self.dt = np.full(engine.lanes, float(domain.dt))

    def start(self, lane: int, domain: Domain) -> None:
        """Note what an episode starts from: the lane's model may be another one now."""
        self.dt[lane] = domain.dt

    def change(self, lane: int, domain: Domain) -> None:
        """Follow a change of a lane's model within an episode."""
        self.dt[lane] = domain.dt

    @abstractmethod
    def before(self) -> None:
        """Note what the reward compares with the state after the next control step."""

    @abstractmethod
    def observe(self) -> Array:
        """Return the robot's own observation, as ``(lanes, obs_dim)``."""

    @abstractmethod
    def outcome(self, actions: NDArray[np.float32], lanes: Bools) -> tuple[Array, Bools, Info]:
        """Return reward, termination and info of the control step just taken, as ``(lanes,)`` each.

        Args:
            actions: Of the agent, as ``(lanes, nu)``.
            lanes: Which lanes took the step; what is returned for others means nothing.
        """


class RunningTask(Task):
    """A task that rewards velocity along x."""

    def __init__(self, domain: Any, engine: Engine) -> None:
        super().__init__(domain, engine)
        self._weight = float(domain._forward_reward_weight)
        self.start_qpos = np.tile(domain.init_qpos, (engine.lanes, 1))
        low, high = getattr(domain, domain.healthy_range) if domain.healthy_range else (-np.inf, np.inf)
        self.low, self.high = np.full(engine.lanes, float(low)), np.full(engine.lanes, float(high))
        self._shifted: dict[int, Domain] = {}
        self._nothing = np.zeros(engine.lanes)

    def start(self, lane: int, domain: Domain) -> None:
        """Note the lane's start height, the heights that end its episode, and its reward."""
        super().start(lane, domain)
        self.start_qpos[lane] = domain.init_qpos
        if domain.healthy_range:
            self.low[lane], self.high[lane] = getattr(domain, domain.healthy_range)
        assert domain.dynamics is not None
        self.reward_of(lane, domain)

    def change(self, lane: int, domain: Domain) -> None:
        """Follow a change of a lane's model, or of its reward, within an episode."""
        super().change(lane, domain)
        self.reward_of(lane, domain)

    def reward_of(self, lane: int, domain: Domain) -> None:
        """Note whether a lane's reward is shifted."""
        assert domain.dynamics is not None
        if domain.dynamics.reward is None:
            self._shifted.pop(lane, None)
        else:
            self._shifted[lane] = domain

    def control_reward(self, actions: NDArray[np.floating[Any]]) -> Array:
        """Return the cost of the agent's own actions, below zero."""
        cost: Array = -self.env._ctrl_cost_weight * np.square(actions).sum(axis=1)
        return cost

    def paid(self, terms: dict[str, Array], velocity: Array) -> tuple[Array, dict[str, Array]]:
        """Return the reward of all lanes and its terms, shifted where a lane's is."""
        reward: Array = sum(terms.values(), start=self._nothing)
        for lane, domain in self._shifted.items():
            assert domain.dynamics is not None
            assert domain.dynamics.reward is not None
            own = {name: float(values[lane]) for name, values in terms.items()}
            reward[lane], shifted = domain.dynamics.reward.reward(
                own, position=float(self.qpos[lane, 0]), velocity=float(velocity[lane]), weight=self._weight
            )
            for name, value in shifted.items():
                terms[name][lane] = value
        return reward, terms
