"""Learning V and Q from what passes through, alone or together with other processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.compensation import Float
from transreward_wrappers.drae.ratios import DynamicsRatio
from transreward_wrappers.drae.values import Rows, ValueNetworks, ValueRows
from transreward_wrappers.networks import one_thread
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors, with_prefix, without_prefix
from transreward_wrappers.store import RowStore

RatioOf = Callable[[Rows, NDArray[np.bool_]], DynamicsRatio]
"""From features of transitions, and which of them are of the source, to the ratios of their dynamics."""

MANY = 100
"""Gradient steps from which a progress bar is worth its line."""


class ValueLearner:
    """Keeps the newest transitions, and fits V and Q to batches of them.

    With a shared folder, several processes map the same transitions and take turns at the same networks.

    Args:
        networks: V and Q.
        batch_size: Transitions in a batch.
        capacity: Transitions kept.
        seed: Of the batches.
    """

    def __init__(self, networks: ValueNetworks, *, batch_size: int, capacity: int, seed: int) -> None:
        self.networks, self._batch_size, self._capacity = networks, batch_size, capacity
        self._generator = torch.Generator().manual_seed(seed)
        self._store = RowStore(capacity, ValueRows.width(*networks.sizes))
        self._shared: Path | None = None
        self._lock: AbstractContextManager[Any] = nullcontext()
        self._seen = 0
        self.updates = 0
        self.loss: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_generator": self._generator.get_state(), "_lock": nullcontext()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._generator = torch.Generator()
        self._generator.set_state(state["_generator"])
        if self._shared is not None:
            self._lock = FileLock(self._shared / "values.lock")

    def state_values(self, observation: Float) -> Float:
        """Return V, as ``(1, B)``."""
        return self.networks.state_values(observation)

    def action_values(self, observation: Float, action: Float) -> Float:
        """Return Q, as ``(1, B)``."""
        return self.networks.action_values(observation, action)

    def learn(self, rows: ValueRows, *, updates: int, ratio_of: RatioOf) -> None:
        """Take in transitions, and take gradient steps by the ratios of dynamics as they are now."""
        with self._lock:
            self._pull()
            self._store.add(rows.pack())
            self.networks.observe(rows)
            if updates:
                self._train(updates, ratio_of)
            self._push()

    def reseed(self, seed: int) -> None:
        """Draw batches from ``seed`` on."""
        self._generator.manual_seed(seed)

    def share(self, directory: Path) -> None:
        """Map the transitions of, and take turns with, all processes that share ``directory``."""
        directory.mkdir(parents=True, exist_ok=True)
        self._shared = directory
        self._lock = FileLock(directory / "values.lock")
        with self._lock:
            self._store = RowStore(self._capacity, self._store.rows.shape[1], directory / "values.f32")
            self._pull()

    def state(self) -> tuple[Tensors, dict[str, Any]]:
        """Return all that was learnt, the transitions included, as tensors and JSON types."""
        with self._lock:
            self._pull()
            rows = torch.from_numpy(self._store.newest(len(self._store)))
            return {**self._tensors(), "rows": rows}, self._about()

    def restore(self, tensors: Tensors, about: dict[str, Any]) -> None:
        """Put back what :meth:`state` returned; those who share it read it from there.

        Raises:
            ValueError: It is of observations or actions of other sizes, or of networks of another width.
        """
        mine, theirs = list(self.networks.sizes), about["sizes"]
        if theirs != mine:
            raise ValueError(
                f"V and Q must be of observations of {mine[0]} and actions of {mine[1]} numbers; these are of "
                f"{theirs[0]} and {theirs[1]}. Give those of the same robot and pair."
            )
        if (other := about.get("hidden")) not in (None, self.networks.hidden):
            raise ValueError(
                f"V and Q must be of networks with `hidden` units in a layer; these have {other}, and `hidden` is "
                f"{self.networks.hidden}. Give others, or that `hidden`."
            )
        with self._lock:
            self._put(tensors, about)
            self._store.restore(tensors["rows"].numpy(), about["added"])
            self._push()

    def _train(self, updates: int, ratio_of: RatioOf) -> None:
        unpack, n = ValueRows.unpack, self.networks.sizes[0]
        self.networks.choose_units(unpack(self._store.newest(len(self._store)), n))
        quiet = None if updates >= MANY else True
        with one_thread():
            for _ in tqdm(range(updates), desc="fitting V and Q", leave=False, disable=quiet):
                rows = unpack(self._store.sample(self._batch_size, self._generator), n)
                self.loss = self.networks.descend(rows, ratio_of(rows.features, rows.domain == 0.0))
        self.updates += updates
        self.networks.freeze()

    def _tensors(self) -> Tensors:
        return {**with_prefix("networks", self.networks.tensors()), "generator": self._generator.get_state()}

    def _about(self) -> dict[str, Any]:
        sizes = list(self.networks.sizes)
        counts = {"updates": self.updates, "loss": self.loss, "added": self._store.added}
        return {"sizes": sizes, "hidden": self.networks.hidden, **counts}

    def _put(self, tensors: Tensors, about: dict[str, Any]) -> None:
        self.networks.load_tensors(without_prefix("networks", tensors))
        self._generator.set_state(tensors["generator"])
        self.updates, self.loss, self._store.added = about["updates"], about["loss"], about["added"]

    def _pull(self) -> None:
        """Read what another process has learnt since; called under the lock."""
        if self._shared is None:
            return
        path = self._shared / "values.safetensors"
        if path.exists() and path.stat().st_mtime_ns != self._seen:
            self._put(*load_tensors(path))

    def _push(self) -> None:
        """Write what was learnt, for the other processes; called under the lock."""
        if self._shared is None:
            return
        path = self._shared / "values.safetensors"
        save_tensors(path, self._tensors(), self._about())
        self._seen = path.stat().st_mtime_ns
