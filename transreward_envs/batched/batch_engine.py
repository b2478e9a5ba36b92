"""The one module that knows ``mujoco.batch``: lanes of simulation, stepped by a pool of C++ threads."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence

import mujoco
import numpy as np
from mujoco import batch
from numpy.typing import NDArray

from transreward_envs.batched.engine import BAD, Engine, Ids, different_sizes

_IN_USE: weakref.WeakSet[BatchEngine] = weakref.WeakSet()


class BatchEngine(Engine):
    """Steps all lanes in one call; a simulation serves many lanes, so that memory grows with threads.

    Args:
        models: A model a lane; they have the same sizes.
        threads: Threads that step, the caller's among them; all CPUs when 0.
        fields: Derived fields that are kept of each lane. Those that a step does not compute, as ``cfrc_ext``, are
            another engine's.

    Raises:
        SizesDifferError: The models differ in their sizes.
    """

    def __init__(self, models: Sequence[mujoco.MjModel], *, threads: int = 0, fields: Sequence[str] = ()) -> None:
        self._batch = batch.Batch(models[0], len(models), threads)
        _IN_USE.add(self)
        super().__init__(models, self._batch.state, fields)
        self.set_models(models)
        self._copies = [(self.derived[name], self._batch.bind(name)) for name in fields]
        self._warned = self._batch.warning[:, BAD, 1]  # a live view of how often
        self._warned[...] = 0

    @property
    def threads(self) -> int:
        """How many threads step."""
        return int(self._batch.nthread)

    def set_models(self, models: Sequence[mujoco.MjModel]) -> None:
        """Run each lane on its model; called again after a model was edited."""
        one = all(model is models[0] for model in models)
        try:
            self._batch.set_models(models[0] if one else list(models))
        except (ValueError, mujoco.FatalError) as error:
            raise different_sizes(error) from error
        self.models = list(models)

    def step(self, ids: Ids | None, substeps: int) -> NDArray[np.bool_]:
        """Step some lanes or all, and return which of all lanes failed."""
        failed = np.zeros(self.lanes, dtype=np.bool_)
        try:
            self._batch.step(ids, nstep=substeps)
        except batch.SimulationError as error:
            failed[error.ids] = True
        for kept, given in self._copies:
            if ids is None:
                kept[...] = given
            else:
                kept[ids] = given[ids]
        if np.count_nonzero(self._warned):
            failed |= self._warned.any(axis=1)
            self._warned[...] = 0  # a failure starts a lane's own counts anew, so they say nothing over time
        return failed

    def close(self) -> None:
        """Let go of the batch; its threads end with the last view of its arrays."""
        _IN_USE.discard(self)
        del self._batch


def _keep_forever() -> None:
    """Never destroy, in a forked process, what would wait there for threads that a fork does not copy."""
    for engine in _IN_USE:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine._batch))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_forever)
