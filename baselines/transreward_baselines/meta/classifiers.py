"""Ratios of dynamics between any two of several tasks, from two classifiers of the task.

    log p_j(s' | s, a) - log p_i(s' | s, a)  =  [l_j - l_i](s, a, s') - [l_j - l_i](s, a)

with ``l`` the logits of a classifier among all tasks that was fitted to as many transitions of each. For two tasks
these are DARC's two binary classifiers (Eysenbach et al., 2021, arXiv:2006.13916). Whatever the networks say, the ratio
of a task to itself is 1, and those of i to j and of j to k multiply to that of i to k.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from transreward_wrappers.networks import EnsembleMLP
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)


class TaskClassifiers:
    """Ensembles of classifiers of the task from ``(s, a)`` and from ``(s, a, s')``.

    Ratios are read from a running average of the weights.

    Args:
        tasks: Number of tasks.
        pair_size: Numbers of ``(s, a)``.
        triple_size: Numbers of ``(s, a, s')``, those of ``(s, a)`` first.
        hidden: Units in each of the two hidden layers.
        members: Pairs of classifiers K, each with batches of its own.
        learning_rate: Adam's.
        input_noise: Standard deviation of noise on the normalised inputs in training [-]: it makes laws overlap where
            simulators are deterministic, and biases ratios towards 1.
        averaging: Decay of the running average [per update].
        device: Of the networks.
    """

    def __init__(
        self,
        tasks: int,
        pair_size: int,
        triple_size: int,
        *,
        hidden: int,
        members: int,
        learning_rate: float,
        input_noise: float,
        averaging: float = 0.99,
        device: torch.device | None = None,
    ) -> None:
        self.tasks, self.members = tasks, members
        self._pair_size, self._noise, self._averaging = pair_size, input_noise, averaging
        sizes = {"pair": pair_size, "triple": triple_size}
        nets = {name: EnsembleMLP(members, [size, hidden, hidden, tasks]) for name, size in sizes.items()}
        self._nets = nn.ModuleDict(nets).to(device)
        self._averaged = copy.deepcopy(self._nets).requires_grad_(False)
        self._optimizer = torch.optim.Adam(self._nets.parameters(), lr=learning_rate, fused=True)
        self.updates = 0

    def descend(self, features: torch.Tensor, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Take a gradient step, and return the mean cross-entropy of both kinds of classifier [nats].

        Args:
            features: Normalised ``(s, a, s')``, as many of each task, as ``(K, B, triple_size)``.
            labels: The tasks that they are of, as ``(K, B)``.
            generator: Of the noise.
        """
        noise = self._noise * torch.randn(features.shape, generator=generator).to(features.device)
        loss = sum(
            (
                functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
                for logits in self._logits(features + noise)
            ),
            start=torch.zeros((), device=features.device),
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.updates += 1
        decay = min(self._averaging, (1.0 + self.updates) / (10.0 + self.updates))
        with torch.no_grad():
            torch._foreach_lerp_(list(self._averaged.parameters()), list(self._nets.parameters()), 1.0 - decay)
        return loss.detach() / 2

    @torch.no_grad()
    def log_ratios(self, features: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return what each member makes of ``log p_target - log p_source`` of transitions [nats], as ``(K, N)``.

        Args:
            features: Normalised ``(s, a, s')``, as ``(N, triple_size)``.
            source: The task that each was made in, as ``(N,)``.
            target: The task whose law is asked for, as ``(N,)``.
        """
        of_pair, of_triple = self._logits(features.expand(self.members, -1, -1), averaged=True)
        advantage = of_triple - of_pair
        found: torch.Tensor = _chosen(advantage, target) - _chosen(advantage, source)
        return found

    def tensors(self) -> Tensors:
        """Return weights and optimiser."""
        return {
            **with_prefix("nets", self._nets.state_dict()),
            **with_prefix("averaged", self._averaged.state_dict()),
            **with_prefix("optimizer", optimizer_tensors(self._optimizer)),
            "updates": torch.tensor(self.updates),
        }

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what :meth:`tensors` returned."""
        self._nets.load_state_dict(without_prefix("nets", tensors))
        self._averaged.load_state_dict(without_prefix("averaged", tensors))
        load_optimizer_tensors(self._optimizer, without_prefix("optimizer", tensors))
        self.updates = int(tensors["updates"])

    def _logits(self, features: torch.Tensor, *, averaged: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits of ``(s, a)`` and of ``(s, a, s')``, as ``(K, B, tasks)`` each."""
        nets = self._averaged if averaged else self._nets
        return nets["pair"](features[..., : self._pair_size]), nets["triple"](features)


def _chosen(logits: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
    """Return one of each row's logits, as ``(K, N)``."""
    index = tasks.expand(len(logits), -1)[..., None]
    return logits.gather(-1, index)[..., 0]
