"""Two domain classifiers, and the log-ratio of dynamics that they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transreward_wrappers.networks import EnsembleMLP, Frozen

Parameterisation = Literal["joint", "advantage"]
Rows = NDArray[np.float32]


class DomainClassifiers(nn.Module):
    """Ensembles of classifiers of the domain from ``(s, a, s')`` and from ``(s, a)``, as raw logits.

    A logit estimates ``log p(target | .) - log p(source | .)``. With balanced batches their difference is

        log p_T(s' | s, a) - log p_S(s' | s, a).

    With ``joint`` the two networks are apart. With ``advantage`` the logit of ``(s, a, s')`` is that of ``(s, a)`` plus
    an advantage network's, so that the difference is one network (Eysenbach et al., 2021, arXiv:2006.13916).

    Args:
        pair_size: Features of ``(s, a)``.
        triple_size: Features of ``(s, a, s')``; those of ``(s, a)`` come first.
        hidden: Units in each of the two hidden layers.
        parameterisation: ``joint`` or ``advantage``.
        members: Pairs of classifiers K, each with its own weights.
    """

    def __init__(
        self, pair_size: int, triple_size: int, *, hidden: int, parameterisation: Parameterisation, members: int
    ) -> None:
        super().__init__()
        self._advantage = parameterisation == "advantage"
        self.pair = EnsembleMLP(members, [pair_size, hidden, hidden, 1])
        self.triple = EnsembleMLP(members, [triple_size, hidden, hidden, 1])

    def logits(self, pair: torch.Tensor, triple: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of ``(s, a)`` and of ``(s, a, s')``, each ``(K, B)``; the inputs may carry other noise."""
        of_pair, of_triple = self.pair(pair)[..., 0], self.triple(triple)[..., 0]
        return of_pair, of_pair + of_triple if self._advantage else of_triple

    def frozen(self) -> FrozenClassifiers:
        """Return the classifiers as they are now, to be evaluated."""
        return FrozenClassifiers(Frozen([self.pair, self.triple]), advantage=self._advantage)

    def frozen_log_ratio(self) -> LogRatio:
        """Return the log-ratio of dynamics that the classifiers give as they are now."""
        return LogRatio(Frozen(self.triple if self._advantage else [self.pair, self.triple]), self._advantage)


@dataclass(frozen=True, slots=True)
class LogRatio:
    """``log p_T(s' | s, a) - log p_S(s' | s, a)`` [nats] of normalised features."""

    network: Frozen
    """Those of the ratio itself, or both kinds of classifiers side by side, those of ``(s, a)`` first."""

    direct: bool
    """Whether the networks give the ratio itself."""

    def __call__(self, features: Rows) -> Rows:
        """Map ``(B, triple_size)`` to the mean over the members, as ``(B,)``."""
        ratios = self.members(features)
        mean: Rows = ratios[0] if len(ratios) == 1 else ratios.mean(axis=0)
        return mean

    def members(self, features: Rows) -> Rows:
        """Map ``(B, triple_size)`` to what each member gives, as ``(K, B)``."""
        logits = self.network(features)
        if self.direct:
            return logits
        half = len(logits) // 2
        return logits[half:] - logits[:half]


@dataclass(frozen=True, slots=True)
class FrozenClassifiers:
    """Both classifiers, for a report of how well they do."""

    network: Frozen
    advantage: bool

    def __call__(self, features: Rows) -> tuple[Rows, Rows]:
        """Map ``(B, triple_size)`` to the members' mean logits of ``(s, a)`` and ``(s, a, s')``, each ``(B,)``."""
        logits = self.network(features)
        of_pair, of_triple = np.split(logits, 2)
        return of_pair.mean(axis=0), (of_triple + of_pair if self.advantage else of_triple).mean(axis=0)
