"""What an estimator is, and what it says of transitions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from transreward_wrappers.compensation import Float, Transitions
from transreward_wrappers.storage import Tensors


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a weight of 1 adds to each reward: ``amount``, and where there is one, ``next_amount``.

    The weight of ``amount`` is that of where the transition starts, the weight of ``next_amount`` that of where it
    leads. A spread is the standard deviation over an ensemble's members.
    """

    amount: Float
    """[reward], as ``(B,)``."""

    spread: Float | None = None
    """Of ``amount`` [reward], as ``(B,)``; ``None`` where there is no ensemble."""

    next_amount: Float | None = None
    """[reward], as ``(B,)``."""

    closeness: Float | None = None
    """Of actions to those of the source's policy, as ``(B,)``; ``None`` where none are compared."""

    next_spread: Float | None = None
    """Of ``next_amount``, before it is discounted [reward], as ``(B,)``."""


class Estimator(ABC):
    """A batched function of transitions that is learnt from source data."""

    @abstractmethod
    def fit(self, data: Transitions) -> None:
        """Learn from source transitions; what was learnt before is forgotten."""

    @abstractmethod
    def __call__(self, batch: Transitions) -> Estimate:
        """Return what a weight of 1 adds."""

    def observe(self, batch: Transitions, estimate: Estimate) -> None:  # noqa: B027  # a hook
        """Learn from what passes through, and what was told of it."""

    def reseed(self, seed: int) -> None:  # noqa: B027  # a hook
        """Start random streams anew."""

    def diagnostics(self) -> dict[str, float]:
        """Return figures about what passed through."""
        return {}

    @abstractmethod
    def tensors(self) -> Tensors:
        """Return all that was learnt."""

    def about(self) -> dict[str, Any]:
        """Return what else there is to keep, as JSON types."""
        return {}

    @abstractmethod
    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put back what :meth:`tensors` and :meth:`about` returned."""


class ValueFunctions(Protocol):
    """Q and V of a domain, by each of K members."""

    def fit(self, data: Transitions) -> None:
        """Learn from transitions; what was learnt before is forgotten."""

    def action_values(self, observation: Float, action: Float) -> Float:
        """Return Q, as ``(K, B)``."""

    def state_values(self, observation: Float) -> Float:
        """Return V, as ``(K, B)``."""

    def tensors(self) -> Tensors:
        """Return all that was learnt."""

    def load_tensors(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""


class ValueEstimator(Estimator):
    """An estimator that looks at the source's values.

    Args:
        values: Of the source.
        gamma: Discount.
    """

    def __init__(self, values: ValueFunctions, *, gamma: float) -> None:
        self._values, self._gamma = values, gamma

    def fit(self, data: Transitions) -> None:
        """Learn the values."""
        self._values.fit(data)

    def tensors(self) -> Tensors:
        """Return what the values are made of."""
        return self._values.tensors()

    def restore(self, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put the values back."""
        self._values.load_tensors(tensors)
