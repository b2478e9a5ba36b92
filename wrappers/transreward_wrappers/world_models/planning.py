"""What a search for actions is told, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from transreward_envs.errors import require_below_one, require_count, require_non_negative, require_positive

Score = Callable[[torch.Tensor], torch.Tensor]
"""From imagined observations ``(N, H, O)`` to how good each sequence is, ``(N,)``; higher is better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSettings:
    """How to search.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    horizon: int = 25
    """Actions in a sequence H."""

    iterations: int = 6
    """How often the Gaussian moves."""

    candidates: int = 500
    """Sequences drawn in an iteration."""

    drafted: bool = True
    """Whether all are first imagined by :meth:`draft`, and only as many as ``finalists`` in full."""

    finalists: int = 60
    """Best drafts, which are imagined in full and valued."""

    elites: int = 30
    """Best sequences, to which the Gaussian moves."""

    penalty: float = 1.0
    """Of the mean spread [score per observation standard deviation]."""

    std: float = 0.6
    """Of the first Gaussian, in each number [-]."""

    least_std: float = 0.05
    """Below which it does not fall [-]."""

    smoothing: float = 0.1
    """Share of the mean and deviation of before that is kept [-]."""

    def __post_init__(self) -> None:
        for name in ("horizon", "iterations", "finalists"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("elites", self.elites, at_least=2)
        for name in ("std", "least_std"):
            require_positive(name, getattr(self, name))
        require_non_negative("penalty", self.penalty)
        require_below_one("smoothing", self.smoothing)
        require_count("candidates", self.candidates, at_least=2)
        if not self.elites <= self.valued <= self.candidates:
            raise ValueError(
                "There must be no more `elites` than `finalists`, and no more of these than `candidates`; got "
                f"{self.elites}, {self.finalists} and {self.candidates}."
            )

    @property
    def valued(self) -> int:
        """Return how many sequences are imagined in full in an iteration."""
        return self.finalists if self.drafted else self.candidates


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The best sequence of a search, and the Gaussian that it ended with."""

    actions: torch.Tensor
    """In ``[-1, 1]``, as ``(H, action_size)``."""

    observations: torch.Tensor
    """What the model imagines that they lead to, as ``(H, observation_size)``."""

    spread: torch.Tensor
    """How unsure it is [observation standard deviations], as ``(H,)``."""

    score: float
    """What the callback gave."""

    value: float
    """The score less the penalty."""

    values: tuple[float, ...]
    """The best value so far, after each iteration."""

    mean: torch.Tensor
    """Of the last Gaussian, as ``(H, action_size)``."""

    std: torch.Tensor
    """Of the last Gaussian, as ``(H, action_size)``."""

    def shifted(self, steps: int = 1) -> torch.Tensor:
        """Return the actions from step ``steps`` on, then zeros, for the next search to start from."""
        return torch.cat([self.actions[steps:], torch.zeros_like(self.actions[:steps])])
