"""Training the domain classifiers on what passes through, alone or together with other processes."""

from __future__ import annotations

import copy
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch.nn import functional
from tqdm import tqdm

from transreward_wrappers.darc.classifiers import DomainClassifiers, Parameterisation
from transreward_wrappers.darc.memory import Memory, Rows
from transreward_wrappers.darc.quadratic import quadratic_features, quadratic_size
from transreward_wrappers.networks import one_thread, seeded
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    load_tensors,
    optimizer_tensors,
    save_tensors,
    with_prefix,
    without_prefix,
)

JUDGED = 128
"""Held-out transitions of each domain by which running accuracies are told."""


class ClassifierLearner:
    """Keeps transitions of both domains and fits :class:`DomainClassifiers` to balanced batches of them.

    The features are ``s``, ``a`` and ``s' - s``, normalised by running statistics of both domains. The log-ratio is
    read from a running average of the weights: a quarter less error than that of the last ones. With a shared folder,
    several processes map the same transitions and take turns at the same weights.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        hidden: Units in each hidden layer.
        parameterisation: See :class:`DomainClassifiers`.
        members: Pairs of classifiers, each with batches of its own.
        learning_rate: Adam's.
        batch_size: Transitions in a batch, half of them from each domain.
        input_noise: Standard deviation of Gaussian noise on the normalised features, in training only [-].
        capacity: Transitions kept of each domain.
        averaging: Decay of the running average of the weights [per update].
        fit_decay: Whether the learning rate falls to 0 over the burst at the end of the warm-up.
        quadratic: Whether classifiers see the products of each two features too.
        seed: Of initial weights, batches and noise.
    """

    def __init__(
        self,
        *,
        observation_size: int,
        action_size: int,
        hidden: int,
        parameterisation: Parameterisation,
        members: int,
        learning_rate: float,
        batch_size: int,
        input_noise: float,
        capacity: int,
        averaging: float,
        fit_decay: bool,
        quadratic: bool,
        seed: int,
    ) -> None:
        self.observation_size = observation_size
        self._pair_size = observation_size + action_size
        self._width = 2 * observation_size + action_size
        self._members, self._half, self._noise = members, batch_size // 2, input_noise
        self._learning_rate, self._averaging, self._fit_decay = learning_rate, averaging, fit_decay
        self._quadratic = quadratic
        sizes = [quadratic_size(size) if quadratic else size for size in (self._pair_size, self._width)]
        with seeded(seed):
            self.classifiers = DomainClassifiers(
                *sizes, hidden=hidden, parameterisation=parameterisation, members=members
            )
        self._averaged = copy.deepcopy(self.classifiers)
        self._log_ratio = self._averaged.frozen_log_ratio()
        self._optimizer = torch.optim.Adam(self.classifiers.parameters(), lr=learning_rate, fused=True)
        self._labels = torch.cat([torch.zeros(self._half), torch.ones(self._half)]).expand(members, -1)
        self._generator = torch.Generator().manual_seed(seed)
        self._normalizer = RunningNormalizer(self._width)
        self.memory = Memory(capacity, self._width)
        self._shared: Path | None = None
        self._lock: AbstractContextManager[Any] = nullcontext()
        self.steps = 0
        self.owed = 0
        self.updates = 0
        self.warm = False
        self._said = False
        self._seen = 0
        self.loss: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_generator": self._generator.get_state()}
        return {**state, "_lock": nullcontext()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._generator = torch.Generator()
        self._generator.set_state(state["_generator"])
        if self._shared is not None:
            self._lock = FileLock(self._shared / "learner.lock")

    @property
    def ready(self) -> bool:
        """Whether each domain has at least half a batch of transitions."""
        return self.memory.ready(self._half)

    def classify(self, features: Rows) -> tuple[Rows, Rows]:
        """Return the logits of ``(s, a)`` and of ``(s, a, s')`` of raw features, each ``(B,)``."""
        return self._averaged.frozen()(self._inputs(features))

    def accuracies(self) -> dict[str, float]:
        """Return how many held-out transitions, of both domains alike, each classifier tells apart; none if too few."""
        held_out = self.memory.held_out(JUDGED)
        if min(map(len, held_out)) < JUDGED:
            return {}
        logits = self.classify(np.concatenate(held_out))
        truth = np.repeat([False, True], JUDGED)
        names = ("accuracy_of_pairs", "accuracy_of_triples")
        return {name: float(((logit > 0.0) == truth).mean()) for name, logit in zip(names, logits, strict=True)}

    def log_ratio(self, features: Rows) -> NDArray[np.float64]:
        """Return ``log p_T(s' | s, a) - log p_S(s' | s, a)`` [nats] of raw features, as ``(B,)``."""
        return self._log_ratio(self._inputs(features)).astype(np.float64)

    def log_ratios(self, features: Rows) -> NDArray[np.float64]:
        """Return what each member makes of :meth:`log_ratio`, as ``(members, B)``."""
        return self._log_ratio.members(self._inputs(features)).astype(np.float64)

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
                self.know(domain, rows)
            new = len(source) + len(target)
            self.steps += new
            rounds, self.owed = divmod(self.owed + new, every)
            before = self.updates
            if self.ready:
                if self.steps >= warmup and not self.warm:
                    self._train(burst, show=True, decay=self._fit_decay)
                    self.warm = True
                self._train(rounds * updates, show=False)
            elif self.steps >= max(2 * warmup, 10_000):
                self._say_once_that_a_domain_is_missing()
            self._push()
            return self.updates - before

    def know(self, domain: int, rows: Rows) -> None:
        """Keep transitions of a domain to learn from later."""
        self.memory.add(domain, rows)
        self._normalizer.observe(rows)

    def reseed(self, seed: int) -> None:
        """Draw batches and noise from ``seed`` on."""
        self._generator.manual_seed(seed)

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
            return {**self._tensors(), **with_prefix("rows", self.memory.tensors())}, self._about()

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
                self._descend(1.0 - step / updates if decay else 1.0)
        self._log_ratio = self._averaged.frozen_log_ratio()

    def _descend(self, share: float) -> None:
        """Take a gradient step on a balanced batch, with so much of the learning rate."""
        features = torch.from_numpy(self._normalizer(self._sample()))
        parts = (features[..., : self._pair_size], features)
        of_pair, of_triple = self.classifiers.logits(*(self._expanded(self._noisy(part)) for part in parts))
        loss = functional.binary_cross_entropy_with_logits(of_pair, self._labels)
        loss = loss + functional.binary_cross_entropy_with_logits(of_triple, self._labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.param_groups[0]["lr"] = share * self._learning_rate
        self._optimizer.step()
        self.loss = float(loss.detach()) / 2
        self.updates += 1
        self._average()

    def _average(self) -> None:
        """Move the averaged weights towards the trained ones; quickly at first."""
        decay = min(self._averaging, (1.0 + self.updates) / (10.0 + self.updates))
        with torch.no_grad():
            torch._foreach_lerp_(list(self._averaged.parameters()), list(self.classifiers.parameters()), 1.0 - decay)

    def _inputs(self, features: Rows) -> Rows:
        """Return what classifiers see of raw features."""
        return self._expanded(torch.from_numpy(self._normalizer(features))).numpy()

    def _expanded(self, features: torch.Tensor) -> torch.Tensor:
        return quadratic_features(features, self._pair_size) if self._quadratic else features

    def _noisy(self, features: torch.Tensor) -> torch.Tensor:
        if self._noise == 0.0:
            return features
        return features + self._noise * self._normal(features.shape)

    def _sample(self) -> Rows:
        """Return a batch for each member, as ``(members, B, width)``."""
        return self.memory.sample(self._half, self._generator, batches=self._members)

    def _normal(self, shape: torch.Size) -> torch.Tensor:
        """Return standard normal numbers, as ``(members, ...)``."""
        return torch.randn(shape, generator=self._generator)

    def _tensors(self) -> Tensors:
        return {
            **with_prefix("classifiers", self.classifiers.state_dict()),
            **with_prefix("averaged", self._averaged.state_dict()),
            **with_prefix("optimizer", optimizer_tensors(self._optimizer)),
            **with_prefix("normalizer", self._normalizer.tensors()),
            "generator": self._generator.get_state(),
        }

    def _about(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "updates": self.updates,
            "owed": self.owed,
            "warm": self.warm,
            "loss": self.loss,
            "added": self.memory.counts(),
        }

    def _restore(self, tensors: Tensors, about: dict[str, Any]) -> None:
        self.classifiers.load_state_dict(without_prefix("classifiers", tensors))
        self._averaged.load_state_dict(without_prefix("averaged", tensors))
        self._log_ratio = self._averaged.frozen_log_ratio()
        load_optimizer_tensors(self._optimizer, without_prefix("optimizer", tensors))
        self._normalizer.load_tensors(without_prefix("normalizer", tensors))
        self._generator.set_state(tensors["generator"])
        self.steps, self.owed, self.updates = about["steps"], about["owed"], about["updates"]
        self.warm, self.loss = about["warm"], about["loss"]
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
        save_tensors(path, self._tensors(), self._about())
        self._seen = path.stat().st_mtime_ns
