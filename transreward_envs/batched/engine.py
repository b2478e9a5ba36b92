"""The one module that knows ``mujoco.batch``: lanes of simulation, stepped by a pool of threads."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from mujoco import batch
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ids = NDArray[np.int32]
BAD = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value + 1)
"""Warnings of physics that has blown up: of positions, velocities and accelerations."""

STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class SizesDifferError(ValueError):
    """Lanes' models differ in their sizes, so that they cannot step together."""


class Engine:
    """Simulations that step together; each lane may have a model of its own.

    A lane's state is a row that holds everything a step depends on, the solver's warm start included, so that a lane
    steps bit for bit as a simulation of its own at any number of threads.

    Args:
        models: A model a lane; they have the same sizes.
        threads: Threads that step, the caller's among them; all CPUs when 0.
        whole: Keep a whole simulation a lane, which contact forces need.
        fields: Derived fields to read after steps, such as ``xpos``.

    Raises:
        SizesDifferError: The models differ in their sizes.
    """

    def __init__(
        self, models: Sequence[mujoco.MjModel], *, threads: int = 0, whole: bool = False, fields: Sequence[str] = ()
    ) -> None:
        self.lanes = len(models)
        self._batch = batch.Batch(models[0], self.lanes, threads, whole)
        self._scratch = mujoco.MjData(models[0])
        self.models: list[mujoco.MjModel] = []
        self._untouched: Array = np.zeros((models[0].nbody, 6))
        self.set_models(models)
        self.qpos: Array = self._batch.bind("qpos")
        self.qvel: Array = self._batch.bind("qvel")
        self.ctrl: Array = self._batch.bind("ctrl")
        self.time: Array = self._batch.bind("time")
        self.derived: dict[str, Array] = {name: self._batch.bind(name) for name in fields}
        self._contacts = self._batch.bind("ncon")
        self._warned = self._batch.warning[:, BAD, 1]  # a live view of how often

    @property
    def threads(self) -> int:
        """How many threads step."""
        return int(self._batch.nthread)

    def set_models(self, models: Sequence[mujoco.MjModel]) -> None:
        """Run each lane on its model; called again after a model was edited."""
        self.models = list(models)
        one = all(model is models[0] for model in models)
        try:
            self._batch.set_models(models[0] if one else self.models)
        except (ValueError, mujoco.FatalError) as error:
            raise SizesDifferError(
                "Lanes that step together must have models of the same sizes; a shift that adds geoms, such as an "
                f"obstacle, goes into all lanes or none ({error})."
            ) from error

    def load(self, lane: int, data: mujoco.MjData) -> None:
        """Put a simulation's state into a lane."""
        mujoco.mj_getState(self.models[lane], data, self._batch.state[lane], STATE)

    def unload(self, lane: int, data: mujoco.MjData) -> None:
        """Put a lane's state into a simulation, and compute what follows from it."""
        mujoco.mj_setState(self.models[lane], data, self._batch.state[lane].copy(), STATE)
        mujoco.mj_forward(self.models[lane], data)

    def step(self, ids: Ids | None, substeps: int) -> NDArray[np.bool_]:
        """Step some lanes or all, and return which of all lanes failed: their physics has blown up, as ``(lanes,)``."""
        failed = np.zeros(self.lanes, dtype=np.bool_)
        self._warned[...] = 0  # a failure starts a lane's own counts anew, so they say nothing over time
        try:
            self._batch.step(ids, nstep=substeps)
        except batch.SimulationError as error:
            failed[error.ids] = True
        if self._warned.any():
            failed |= self._warned.any(axis=1)
        return failed

    def contact_forces(self, lane: int) -> Array:
        """Return the forces of contacts on each body after a step [N m, N], as ``(nbody, 6)``; of a whole lane only."""
        if self._contacts[lane] == 0:
            return self._untouched
        self._batch.get_data(lane, self._scratch)
        mujoco.mj_rnePostConstraint(self.models[lane], self._scratch)
        forces: Array = self._scratch.cfrc_ext
        return forces
