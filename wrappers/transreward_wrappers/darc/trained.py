"""Domain classifiers that learn from balanced batches, and are read through an average of their weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from transreward_wrappers.darc.classifiers import DomainClassifiers, Parameterisation
from transreward_wrappers.darc.memory import Memory, Rows
from transreward_wrappers.darc.quadratic import quadratic_features, quadratic_size
from transreward_wrappers.networks import seeded
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierSettings:
    """What classifiers are, and how they learn."""

    pair_size: int
    """Length of ``s`` and ``a`` together."""

    width: int
    """Length of the features."""

    hidden: int
    """Units in each hidden layer."""

    parameterisation: Parameterisation
    """See :class:`DomainClassifiers`."""

    members: int
    """Pairs of classifiers of each seed, each with batches of its own."""

    learning_rate: float
    """Adam's."""

    half: int
    """Transitions of each domain in a batch."""

    input_noise: float
    """Standard deviation of Gaussian noise on the normalised features, in training only [-]."""

    averaging: float
    """Decay of the running average of the weights [per update]."""

    quadratic: bool
    """Whether classifiers see the products of each two features too."""


class TrainedClassifiers:
    """:class:`DomainClassifiers`, their optimiser, and what normalises the features that they see.

    The features are ``s``, ``a`` and ``s' - s``, normalised by running statistics of both domains. The log-ratio is
    read from a running average of the weights: a quarter less error than that of the last ones.

    With several seeds, the classifiers of each learn side by side, which takes much less time than one after another.
    Their numbers are those that they have alone, to rounding.

    Args:
        settings: What they are, and how they learn.
        seeds: Of initial weights, batches and noise.
    """

    def __init__(self, settings: ClassifierSettings, *, seeds: Sequence[int]) -> None:
        self._settings, self._seeds = settings, tuple(seeds)
        sizes = [settings.pair_size, settings.width]
        if settings.quadratic:
            sizes = [quadratic_size(size) for size in sizes]
        members = settings.members
        shape: dict[str, Any] = {"hidden": settings.hidden, "parameterisation": settings.parameterisation}
        weights = []
        for seed in self._seeds:
            with seeded(seed):
                weights.append(DomainClassifiers(*sizes, **shape, members=members).state_dict())
        with seeded(0):  # these weights are replaced; PyTorch's generator stays as it was
            self.weights = DomainClassifiers(*sizes, **shape, members=members * len(self._seeds))
        self.weights.load_state_dict({name: torch.cat([own[name] for own in weights]) for name in weights[0]})
        self.averaged = copy.deepcopy(self.weights)
        self._optimizer = torch.optim.Adam(self.weights.parameters(), lr=settings.learning_rate, fused=True)
        self._labels = torch.arange(2.0).repeat_interleave(settings.half).expand(members * len(self._seeds), -1)
        self._generators = [torch.Generator().manual_seed(seed) for seed in self._seeds]
        self.normalizer = RunningNormalizer(settings.width)
        self.updates = 0
        self.loss: float | None = None
        self.refresh()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_generators": [generator.get_state() for generator in self._generators]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._generators = [torch.Generator() for _ in state["_generators"]]
        for generator, own in zip(self._generators, state["_generators"], strict=True):
            generator.set_state(own)

    def classify(self, features: Rows) -> tuple[Rows, Rows]:
        """Return the logits of ``(s, a)`` and of ``(s, a, s')`` of raw features, each ``(B,)``."""
        return self.averaged.frozen()(self._inputs(features))

    def log_ratio(self, features: Rows) -> NDArray[np.float64]:
        """Return ``log p_T(s' | s, a) - log p_S(s' | s, a)`` [nats] of raw features, as ``(B,)``."""
        return self._log_ratio(self._inputs(features)).astype(np.float64)

    def log_ratios(self, features: Rows) -> NDArray[np.float64]:
        """Return what each member makes of :meth:`log_ratio`, as ``(members, B)``."""
        return self._log_ratio.members(self._inputs(features)).astype(np.float64)

    def alone(self, index: int) -> TrainedClassifiers:
        """Return the classifiers of a seed as they are now, apart from the others; their optimiser begins anew."""
        one = TrainedClassifiers(self._settings, seeds=self._seeds[index : index + 1])
        own = slice(index * self._settings.members, (index + 1) * self._settings.members)
        for theirs, ours in ((one.weights, self.weights), (one.averaged, self.averaged)):
            theirs.load_state_dict({name: values[own] for name, values in ours.state_dict().items()})
        one._generators = self._generators[index : index + 1]
        one.normalizer, one.updates = self.normalizer, self.updates
        one.refresh()
        return one

    def reseed(self, seed: int) -> None:
        """Draw batches and noise from ``seed`` on."""
        for index, generator in enumerate(self._generators):
            generator.manual_seed(seed + index)

    def descend(self, memory: Memory, *, share: float = 1.0) -> None:
        """Take a gradient step on balanced batches, with so much of the learning rate; :meth:`refresh` shows it.

        Args:
            memory: What batches are drawn from.
            share: Of the learning rate [-].
        """
        half, batches = self._settings.half, self._settings.members
        drawn = [memory.sample(half, generator, batches=batches) for generator in self._generators]
        features = torch.from_numpy(self.normalizer(np.concatenate(drawn)))
        parts = (features[..., : self._settings.pair_size], features)
        of_pair, of_triple = self.weights.logits(*(self._expanded(self._noisy(part)) for part in parts))
        loss = functional.binary_cross_entropy_with_logits(of_pair, self._labels)
        loss = loss + functional.binary_cross_entropy_with_logits(of_triple, self._labels)
        self._optimizer.zero_grad(set_to_none=True)
        together = loss * len(self._seeds)  # so that each seed's gradient is what it is alone
        together.backward()  # type: ignore[no-untyped-call]
        self._optimizer.param_groups[0]["lr"] = share * self._settings.learning_rate
        self._optimizer.step()
        self.loss = float(loss.detach()) / 2
        self.updates += 1
        self._average()

    def refresh(self) -> None:
        """Read the log-ratio from the averaged weights as they are now."""
        self._log_ratio = self.averaged.frozen_log_ratio()

    def tensors(self) -> Tensors:
        """Return all that was learnt as tensors."""
        return {
            **with_prefix("classifiers", self.weights.state_dict()),
            **with_prefix("averaged", self.averaged.state_dict()),
            **with_prefix("optimizer", optimizer_tensors(self._optimizer)),
            **with_prefix("normalizer", self.normalizer.tensors()),
            "generator": torch.stack([generator.get_state() for generator in self._generators]),
        }

    def about(self) -> dict[str, Any]:
        """Return the number of gradient steps, and the last loss, as JSON types."""
        return {"updates": self.updates, "loss": self.loss}

    def restore(self, tensors: Tensors, about: dict[str, Any]) -> None:
        """Put back what :meth:`tensors` and :meth:`about` returned."""
        self.weights.load_state_dict(without_prefix("classifiers", tensors))
        self.averaged.load_state_dict(without_prefix("averaged", tensors))
        load_optimizer_tensors(self._optimizer, without_prefix("optimizer", tensors))
        self.normalizer.load_tensors(without_prefix("normalizer", tensors))
        for generator, state in zip(self._generators, tensors["generator"], strict=True):
            generator.set_state(state)
        self.updates, self.loss = about["updates"], about["loss"]
        self.refresh()

    def _average(self) -> None:
        """Move the averaged weights towards the trained ones; quickly at first."""
        decay = min(self._settings.averaging, (1.0 + self.updates) / (10.0 + self.updates))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.weights.parameters()), 1.0 - decay)

    def _inputs(self, features: Rows) -> Rows:
        """Return what classifiers see of raw features."""
        return self._expanded(torch.from_numpy(self.normalizer(features))).numpy()

    def _expanded(self, features: torch.Tensor) -> torch.Tensor:
        return quadratic_features(features, self._settings.pair_size) if self._settings.quadratic else features

    def _noisy(self, features: torch.Tensor) -> torch.Tensor:
        if self._settings.input_noise == 0.0:
            return features
        shape = (self._settings.members, *features.shape[1:])
        noise = [torch.randn(shape, generator=generator) for generator in self._generators]
        return features + self._settings.input_noise * torch.cat(noise)
