"""A number's mean in each state, as an agent that changes meets it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_wrappers.compensation import Float
from transreward_wrappers.networks import EnsembleMLP, Frozen, one_thread, seeded
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)
from transreward_wrappers.store import RowStore

CAPACITY = 16_384
"""States that are learned from, the newest; older ones are of an agent that acts otherwise by now."""


class Baseline:
    """Predicts the mean of a number given the state, by squared error on the newest states.

    It begins at the mean of the first numbers.

    Args:
        width: Length of a state.
        settings: Of the network and its gradient steps; there is one member.
        every: States for each gradient step.
    """

    def __init__(self, width: int, *, settings: FitSettings, every: int) -> None:
        self._settings, self._every = settings, every
        with seeded(settings.seed):
            self._net = EnsembleMLP(1, [width, settings.hidden, settings.hidden, 1])
        self._optimizer = torch.optim.Adam(self._net.parameters(), lr=settings.learning_rate, fused=True)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._inputs = RunningNormalizer(width)
        self._rows = RowStore(CAPACITY, width + 1)
        self._owed, self._offset = 0, 0.0
        self._frozen = Frozen(self._net)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_generator": self._generator.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._generator = torch.Generator()
        self._generator.set_state(state["_generator"])

    def __call__(self, states: Float) -> Float:
        """Return the mean in each state, as ``(B,)``."""
        mean: Float = self._frozen(self._inputs(states.astype(np.float32)))[0].astype(np.float64) + self._offset
        return mean

    def newest(self, count: int) -> NDArray[np.float32]:
        """Return the newest numbers, ``count`` at most."""
        return self._rows.newest(count)[:, -1]

    def observe(self, states: Float, numbers: Float) -> None:
        """Learn from states, as ``(B, width)``, and the number in each."""
        if not self._rows.added:
            self._offset = float(numbers.mean())
        self._inputs.observe(states)
        self._rows.add(np.column_stack([states, numbers]).astype(np.float32))
        steps, self._owed = divmod(self._owed + len(states), self._every)
        if steps:
            with one_thread():
                for _ in range(steps):
                    self._descend()
            self._frozen = Frozen(self._net)

    def reseed(self, seed: int) -> None:
        """Draw batches from ``seed`` on."""
        self._generator.manual_seed(seed)

    def tensors(self) -> Tensors:
        """Return all that was learnt, and what it was learnt from."""
        counts = [self._rows.added, self._owed]
        return {
            **with_prefix("net", self._net.state_dict()),
            **with_prefix("optimizer", optimizer_tensors(self._optimizer)),
            **with_prefix("inputs", self._inputs.tensors()),
            "rows": torch.from_numpy(self._rows.newest(len(self._rows))),
            "counts": torch.tensor(counts, dtype=torch.int64),
            "offset": torch.tensor(self._offset, dtype=torch.float64),
            "generator": self._generator.get_state(),
        }

    def restore(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._net.load_state_dict(without_prefix("net", tensors))
        load_optimizer_tensors(self._optimizer, without_prefix("optimizer", tensors))
        self._inputs.load_tensors(without_prefix("inputs", tensors))
        added, self._owed = (int(count) for count in tensors["counts"])
        self._rows.restore(tensors["rows"].numpy(), added)
        self._offset = float(tensors["offset"])
        self._generator.set_state(tensors["generator"])
        self._frozen = Frozen(self._net)

    def _descend(self) -> None:
        """Take a gradient step on states drawn from the newest."""
        rows = self._rows.sample(self._settings.batch_size, self._generator)
        inputs = torch.from_numpy(self._inputs(np.ascontiguousarray(rows[:, :-1])))
        goal = torch.from_numpy(rows[:, -1] - np.float32(self._offset))
        loss = (self._net(inputs[None])[0, :, 0] - goal).square().mean()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
