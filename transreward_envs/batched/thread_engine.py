"""Lanes stepped by a pool of Python's threads; it needs no ``mujoco.batch``."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.batched.engine import BAD, STATE, Array, Engine, Ids, different_sizes
from transreward_envs.batched.pool import Pool

SIZES = ("nq", "nv", "na", "nu", "nbody", "njnt", "ngeom", "nsite", "ntendon", "nwrap", "neq", "nmocap", "nsensordata")
"""Of a model: those that shifts may change, and what a simulation's arrays are as long as."""


class ThreadEngine(Engine):
    """Steps lane after lane in a simulation of each thread, so that memory grows with threads.

    Contact forces need the whole simulation right after its step. Here it is at hand, where ``mujoco.batch`` has to
    keep a simulation a lane and copy it out, so that robots that feel their contacts step faster in this engine. It is
    also the one for versions of MuJoCo without ``mujoco.batch``.

    Args:
        models: A model a lane; they have the same sizes.
        threads: Threads that step, the caller's among them; all CPUs when 0.
        fields: Derived fields that are kept of each lane; ``cfrc_ext`` [N m, N] is computed after the step.

    Raises:
        SizesDifferError: The models differ in their sizes.
    """

    def __init__(self, models: Sequence[mujoco.MjModel], *, threads: int = 0, fields: Sequence[str] = ()) -> None:
        super().__init__(models, np.zeros((len(models), mujoco.mj_stateSize(models[0], STATE))), fields)
        self.set_models(models)
        self._pool = Pool(threads)
        self._data = [mujoco.MjData(models[0]) for _ in range(self._pool.threads)]
        self._warned = [data.warning.number[BAD] for data in self._data]  # live views
        self._feels = "cfrc_ext" in fields
        self._copies: list[list[tuple[Array, Array]]] = [
            [(kept, getattr(data, name)) for name, kept in self.derived.items()] for data in self._data
        ]
        self._failed = np.zeros(self.lanes, dtype=np.bool_)
        self._substeps = 1

    @property
    def threads(self) -> int:
        """How many threads step."""
        return self._pool.threads

    def set_models(self, models: Sequence[mujoco.MjModel]) -> None:
        """Run each lane on its model; called again after a model was edited."""
        for model in {id(model): model for model in models}.values():
            other = [f"{name} {getattr(model, name)}" for name in SIZES if getattr(model, name) != self._size(name)]
            if other:
                raise different_sizes(", ".join(f"{one}, not {self._size(one.split()[0])}" for one in other))
        self.models = list(models)

    def step(self, ids: Ids | None, substeps: int) -> NDArray[np.bool_]:
        """Step some lanes or all, and return which of all lanes failed."""
        self._substeps, self._failed = substeps, np.zeros(self.lanes, dtype=np.bool_)
        self._pool.run(self._step_lane, range(self.lanes) if ids is None else ids.tolist())
        return self._failed

    def close(self) -> None:
        """End the threads, and let go of the simulations."""
        self._pool.close()
        del self._data, self._copies, self._warned

    def _step_lane(self, thread: int, lane: int) -> None:
        """Step one lane; if MuJoCo raises an error, its state stays as it was."""
        model, data, row, warned = self.models[lane], self._data[thread], self._rows[lane], self._warned[thread]
        mujoco.mj_setState(model, data, row, STATE)
        try:
            mujoco.mj_step(model, data, self._substeps)
            if self._feels:
                mujoco.mj_rnePostConstraint(model, data)
        except mujoco.FatalError:
            mujoco.mj_resetData(model, data)  # or what the error left on its stack fails other lanes
            self._failed[lane] = True
            return
        mujoco.mj_getState(model, data, row, STATE)
        for kept, given in self._copies[thread]:
            kept[lane] = given
        if np.count_nonzero(warned):
            self._failed[lane] = True
            warned[...] = 0  # a failure starts the counts anew, so they say nothing over time

    def _size(self, name: str) -> int:
        """Return a size that all lanes have."""
        return int(getattr(self.models[0], name))
