"""Two domain classifiers, and the log-ratio of dynamics that they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transreward_wrappers.networks import Frozen, mlp

Parameterisation = Literal["joint", "advantage"]


class DomainClassifiers(nn.Module):
    """Classifiers of the domain from ``(s, a, s')`` and from ``(s, a)``, as raw logits.

    A logit estimates ``log p(target | .) - log p(source | .)``. With balanced batches their difference is

        log p_T(s' | s, a) - log p_S(s' | s, a).

    With ``joint`` the two networks are apart. With ``advantage`` the logit of ``(s, a, s')`` is that of ``(s, a)`` plus
    an advantage network's, so that the difference is one network (Eysenbach et al., 2021, arXiv:2006.13916).

    Args:
        pair_size: Features of ``(s, a)``.
        triple_size: Features of ``(s, a, s')``; those of ``(s, a)`` come first.
        hidden: Units in each of the two hidden layers.
        parameterisation: ``joint`` or ``advantage``.
    """

    def __init__(self, pair_size: int, triple_size: int, *, hidden: int, parameterisation: Parameterisation) -> None:
        super().__init__()
        self._pair_size = pair_size
        self._advantage = parameterisation == "advantage"
        self.pair = mlp([pair_size, hidden, hidden, 1])
        self.triple = mlp([triple_size, hidden, hidden, 1])

    def logits(self, pair: torch.Tensor, triple: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of ``(s, a)`` and of ``(s, a, s')``, each ``(B,)``; the inputs may carry other noise."""
        of_pair, of_triple = self.pair(pair)[:, 0], self.triple(triple)[:, 0]
        return of_pair, of_pair + of_triple if self._advantage else of_triple

    def frozen_log_ratio(self) -> LogRatio:
        """Return the log-ratio of dynamics that the classifiers give as they are now."""
        return LogRatio(Frozen(self.triple if self._advantage else [self.pair, self.triple]))


@dataclass(frozen=True, slots=True)
class LogRatio:
    """``log p_T(s' | s, a) - log p_S(s' | s, a)`` [nats] of normalised features."""

    network: Frozen
    """That of the ratio itself, or both classifiers side by side, that of ``(s, a)`` first."""

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(B, triple_size)`` to ``(B,)``."""
        logits = self.network(features)
        return logits if logits.ndim == 1 else logits[1] - logits[0]
