"""Networks of many runs side by side: one call evaluates, and one step of an optimiser moves, all of them.

Nothing joins two runs: a run's weights, gradients and random numbers are those that it has alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from transreward_baselines.offline.streams import generator_of

ROWS_AT_ONCE = 2048
"""Of all runs together, on a CPU: layers of more outgrow its cache."""

LEAST_ROWS = 256
"""Of each run, for which a matrix product still pays."""


class StackedMLP(nn.Module):
    """MLPs of the same sizes, ``members`` for each of R runs.

    Args:
        seeds: Of each run's initial weights.
        sizes: Layer sizes, inputs and outputs included.
        name: Which network of a run it is; those of other names start from other weights.
        members: Networks K of a run.
    """

    def __init__(self, seeds: Sequence[int], sizes: Sequence[int], *, name: str, members: int = 1) -> None:
        super().__init__()
        self.runs, self.members = len(seeds), members
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        generators = [generator_of(seed, name, 0) for seed in seeds]
        for inputs, outputs in pairwise(sizes):
            bound = 1.0 / math.sqrt(inputs)
            drawn = [torch.rand(members, inputs + 1, outputs, generator=one) for one in generators]
            layer = bound * (2.0 * torch.cat(drawn) - 1.0)
            self.weights.append(nn.Parameter(layer[:, :-1].clone()))
            self.biases.append(nn.Parameter(layer[:, -1:].clone()))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map ``(R, B, inputs)`` to ``(R, B, outputs)``, or ``(R, K, B, outputs)`` where a run has several members.

        Inputs ``(R, K, B, inputs)`` are of each member its own. The last layer is of float32 under autocast too: values
        are told apart by differences that 8 bits do not have.
        """
        hidden = inputs
        if self.members > 1:
            own = inputs if inputs.ndim == 4 else inputs[:, None].expand(-1, self.members, -1, -1)
            hidden = own.flatten(0, 1)
        *layers, (last_weight, last_bias) = zip(self.weights, self.biases, strict=True)
        for weight, bias in layers:
            hidden = torch.relu(torch.baddbmm(bias, hidden, weight))
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = torch.baddbmm(last_bias, hidden.float(), last_weight)
        return hidden if self.members == 1 else hidden.view(self.runs, self.members, *hidden.shape[1:])


def in_parts(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return ``network(inputs)`` for ``(R, B, inputs)``, on a CPU part by part where B is large."""
    rows = max(LEAST_ROWS, ROWS_AT_ONCE // len(inputs))
    parts = math.ceil(inputs.shape[1] / rows)
    if inputs.device.type != "cpu" or parts == 1:
        whole: torch.Tensor = network(inputs)
        return whole
    return torch.cat([network(part) for part in inputs.chunk(parts, dim=1)], dim=-2)


def values_of(critics: nn.Module, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return what the critics of each run say of actions, ``(R, B, ...)`` both, as ``(R, K, B)``."""
    return in_parts(critics, torch.cat([observations, actions], dim=-1))[..., 0]


def per_run(values: torch.Tensor) -> torch.Tensor:
    """Return the mean over all but the leading axis of runs, as ``(R,)``."""
    return values.flatten(1).mean(dim=1)


@torch.no_grad()
def follow(targets: nn.Module, networks: nn.Module, share: float) -> None:
    """Move the targets by a share of the way towards the networks."""
    torch._foreach_lerp_(list(targets.parameters()), list(networks.parameters()), share)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # graphs end at a backward pass and at a fused optimiser
def descend(optimizer: torch.optim.Optimizer, losses: torch.Tensor) -> None:
    """Take a step down the sum of the runs' losses, ``(R,)``: no run's gradient has a part of another's."""
    optimizer.zero_grad(set_to_none=True)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
