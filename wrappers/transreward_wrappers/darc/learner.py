"""Training the domain classifiers on what passes through, alone or together with other processes."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from transreward_wrappers.darc.memory import Memory, Rows
from transreward_wrappers.darc.trained import ClassifierSettings, TrainedClassifiers
from transreward_wrappers.networks import one_thread
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors, with_prefix, without_prefix

JUDGED = 128
"""Held-out transitions of each domain by which running accuracies are told."""


class ClassifierLearner:
    """Keeps transitions of both domains, and trains :class:`TrainedClassifiers` on them when it is time to.

    With a shared folder, several processes map the same transitions and take turns at the same weights.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        batch_size: Transitions in a batch, half of them from each domain.
        capacity: Transitions kept of each domain.
        fit_decay: Whether the learning rate falls to 0 over the burst at the end of the warm-up.
        seeds: Of classifiers that learn side by side; one for those of a compensation.
        settings: The others of :class:`ClassifierSettings`.
    """

    def __init__(
        self,
        *,
        observation_size: int,
        action_size: int,
        batch_size: int,
        capacity: int,
        fit_decay: bool,
        seeds: Sequence[int],
        **settings: Any,
    ) -> None:
        self.observation_size = observation_size
        self._width = 2 * observation_size + action_size
        self._half, self._fit_decay = batch_size // 2, fit_decay
        sizes: dict[str, Any] = {"pair_size": observation_size + action_size, "width": self._width, "half": self._half}
        self.classifiers = TrainedClassifiers(ClassifierSettings(**sizes, **settings), seeds=seeds)
        self.memory = Memory(capacity, self._width)
        self._shared: Path | None = None
        self._lock: AbstractContextManager[Any] = nullcontext()
        self.steps = 0
        self.owed = 0
        self.warm = False
        self._said = False
        self._seen = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": nullcontext()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._shared is not None:
            self._lock = FileLock(self._shared / "learner.lock")

    def alone(self, index: int) -> ClassifierLearner:
        """Return a learner of one seed's classifiers as they are now, which keeps the transitions of all."""
        one = copy.copy(self)
        one.classifiers = self.classifiers.alone(index)
        return one

    @property
    def ready(self) -> bool:
        """Whether each domain has at least half a batch of transitions."""
        return self.memory.ready(self._half)

    def accuracies(self, newest: int = JUDGED) -> dict[str, float]:
        """Return how many held-out transitions each classifier tells apart, both domains counting alike.

        Args:
            newest: Transitions of each domain, at most; with fewer than 128, nothing is told.
        """
        held_out = self.memory.held_out(newest)
        if min(map(len, held_out)) < JUDGED:
            return {}
        logits = [self.classifiers.classify(rows) for rows in held_out]
        names = ("accuracy_of_pairs", "accuracy_of_triples")
        return {
            name: float(np.mean([((logits[domain][index] > 0.0) == bool(domain)).mean() for domain in range(2)]))
            for index, name in enumerate(names)
        }

    def learn(self, source: Rows, target: Rows, *, updates: int, every: int, warmup: int, burst: int) -> int:
        """Take in transitions, and train for every full round of them; return the gradient steps that were taken.

        Transitions beyond the last full round are owed to the next.

        Args:
            source: Features of new source transitions, as ``(B, width)``.
            target: Features of new target transitions.
            updates: Gradient steps in a round.
            every: Transitions in a round.
            warmup: Transitions, of all processes, before which no ``burst`` is made.
            burst: Gradient steps made once, at the end of the warm-up, with a progress bar; ``warm`` from then on.
        """
        with self._lock:
            self._pull()
            for domain, rows in enumerate((source, target)):
                self.know(domain, rows, frozen=self.warm and updates == 0)
            new = len(source) + len(target)
            self.steps += new
            rounds, self.owed = divmod(self.owed + new, every)
            before = self.classifiers.updates
            if self.ready:
                if self.steps >= warmup and not self.warm:
                    self._train(burst, show=True, decay=self._fit_decay)
                    self.warm = True
                self._train(rounds * updates, show=False)
            elif self.steps >= max(2 * warmup, 10_000):
                self._say_once_that_a_domain_is_missing()
            self._push()
            return self.classifiers.updates - before

    def know(self, domain: int, rows: Rows, *, frozen: bool = False) -> None:
        """Keep transitions of a domain to learn from later; what ``frozen`` classifiers see stays as it is scaled."""
        self.memory.add(domain, rows)
        if not frozen:
            self.classifiers.normalizer.observe(rows)

    def share(self, directory: Path) -> None:
        """Map the transitions of, and take turns with, all processes that share ``directory``."""
        directory.mkdir(parents=True, exist_ok=True)
        self._shared = directory
        self._lock = FileLock(directory / "learner.lock")
        with self._lock:
            self.memory = Memory(self.memory.capacity, self._width, directory)
            self._pull()

    def state(self) -> tuple[Tensors, dict[str, Any]]:
        """Return all that was learnt, the transitions included, as tensors and JSON types."""
        with self._lock:
            self._pull()
            return {**self.classifiers.tensors(), **with_prefix("rows", self.memory.tensors())}, self._about()

    def restore(self, tensors: Tensors, about: dict[str, Any]) -> None:
        """Put back what :meth:`state` returned; those who share the learner read it from there."""
        with self._lock:
            self._restore(tensors, about)
            self.memory.load_tensors(without_prefix("rows", tensors), about["added"])
            self._push()

    def _say_once_that_a_domain_is_missing(self) -> None:
        if not self._said:
            self._said = True
            seen = " and ".join(str(self.memory.seen(domain)) for domain in range(2))
            warnings.warn(
                f"The domain classifiers have not been trained in {self.steps} steps: they need {self._half} "
                f"transitions of each domain and saw {seen} of source and target, so that nothing is added to any "
                "reward. Raise `target_ratio` or `target_budget`, or lower `batch_size`.",
                stacklevel=2,
            )

    def _train(self, updates: int, *, show: bool, decay: bool = False) -> None:
        """Take gradient steps on balanced batches; with ``decay`` the learning rate falls to 0 meanwhile."""
        if updates == 0:
            return
        steps = range(updates)
        with one_thread():
            for step in tqdm(steps, desc="fitting domain classifiers", leave=False, disable=None) if show else steps:
                self.classifiers.descend(self.memory, share=1.0 - step / updates if decay else 1.0)
        self.classifiers.refresh()

    def _about(self) -> dict[str, Any]:
        own = {"steps": self.steps, "owed": self.owed, "warm": self.warm, "added": self.memory.counts()}
        return {**own, **self.classifiers.about()}

    def _restore(self, tensors: Tensors, about: dict[str, Any]) -> None:
        self.classifiers.restore(tensors, about)
        self.steps, self.owed, self.warm = about["steps"], about["owed"], about["warm"]
        self.memory.count(about["added"])

    def _pull(self) -> None:
        """Read what another process has learnt since; called under the lock."""
        if self._shared is None:
            return
        path = self._shared / "learner.safetensors"
        if path.exists() and path.stat().st_mtime_ns != self._seen:
            self._restore(*load_tensors(path))

    def _push(self) -> None:
        """Write what was learnt, for the other processes; called under the lock."""
        if self._shared is None:
            return
        path = self._shared / "learner.safetensors"
        save_tensors(path, self.classifiers.tensors(), self._about())
        self._seen = path.stat().st_mtime_ns
