"""Simulations that step together: what an engine is, whichever way it steps them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ids = NDArray[np.int32]
BAD = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value + 1)
"""Warnings of physics that has blown up: of positions, velocities and accelerations."""

STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value


class SizesDifferError(ValueError):
    """Lanes' models differ in their sizes, so that they cannot step together."""


class Engine(ABC):
    """Simulations that step together; each lane may have a model of its own.

    A lane's state is a row that holds everything a step depends on, the solver's warm start included, so that a lane
    steps bit for bit as a simulation of its own at any number of threads.

    Args:
        models: A model a lane; they have the same sizes.
        state: The lanes' states, as ``(lanes, state size)``, which the engine reads and writes.
        fields: Derived fields that are kept of each lane, such as ``xpos``.
    """

    def __init__(self, models: Sequence[mujoco.MjModel], state: Array, fields: Sequence[str]) -> None:
        self.lanes = len(models)
        self.models = list(models)
        self._rows = list(state)
        sizes, example = models[0], mujoco.MjData(models[0])
        self.qpos: Array = part(state, sizes, mujoco.mjtState.mjSTATE_QPOS)
        self.qvel: Array = part(state, sizes, mujoco.mjtState.mjSTATE_QVEL)
        self.ctrl: Array = part(state, sizes, mujoco.mjtState.mjSTATE_CTRL)
        self.derived: dict[str, Array] = {
            name: np.zeros((self.lanes, *getattr(example, name).shape)) for name in fields
        }

    @property
    @abstractmethod
    def threads(self) -> int:
        """How many threads step."""

    @abstractmethod
    def set_models(self, models: Sequence[mujoco.MjModel]) -> None:
        """Run each lane on its model; called again after a model was edited.

        Raises:
            SizesDifferError: The models differ in their sizes.
        """

    @abstractmethod
    def step(self, ids: Ids | None, substeps: int) -> NDArray[np.bool_]:
        """Step some lanes or all, and return which of all lanes failed: their physics has blown up, as ``(lanes,)``."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the threads and the simulations."""

    def load(self, lane: int, data: mujoco.MjData) -> None:
        """Put a simulation's state into a lane, and what follows from it."""
        mujoco.mj_getState(self.models[lane], data, self._rows[lane], STATE)
        for name, kept in self.derived.items():
            kept[lane] = getattr(data, name)

    def unload(self, lane: int, data: mujoco.MjData) -> None:
        """Put a lane's state into a simulation, and compute what follows from it."""
        mujoco.mj_setState(self.models[lane], data, self._rows[lane].copy(), STATE)
        mujoco.mj_forward(self.models[lane], data)


def part(state: Array, model: mujoco.MjModel, component: mujoco.mjtState) -> Array:
    """Return a live view of one component of the states, as ``(lanes, size)``; components are in the order of bits."""
    start = mujoco.mj_stateSize(model, STATE & (component.value - 1))
    return state[:, start : start + mujoco.mj_stateSize(model, component.value)]


def different_sizes(why: object) -> SizesDifferError:
    """Return the error of lanes that cannot step together."""
    return SizesDifferError(
        "Lanes that step together must have models of the same sizes; a shift that adds geoms, such as an obstacle, "
        f"goes into all lanes or none ({why})."
    )
