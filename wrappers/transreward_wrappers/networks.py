"""Small networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Return linear layers with a ReLU between each two."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class EnsembleMLP(nn.Module):
    """Several MLPs of the same sizes, evaluated together.

    Args:
        members: Number of networks K.
        sizes: Layer sizes, inputs and outputs included.
    """

    def __init__(self, members: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = 1.0 / math.sqrt(inputs)
            self.weights.append(nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map ``(K, B, inputs)`` to ``(K, B, outputs)``."""
        hidden = inputs
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, torch.relu(hidden) if layer else hidden, weight)
        return hidden


Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def frozen_layers(network: nn.Sequential | EnsembleMLP) -> Layers:
    """Return a network's weights and biases as they are now, for :func:`evaluate`."""
    if isinstance(network, EnsembleMLP):
        pairs = zip(network.weights, network.biases, strict=True)
        return [(weight.detach().numpy().copy(), bias.detach().numpy().copy()) for weight, bias in pairs]
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    return [(layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()) for layer in linear]


def evaluate(layers: Layers, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the network's outputs for ``(B, inputs)``; for one row in a third of the time that PyTorch takes."""
    if len(inputs) > 1:
        return _evaluate_many(layers, inputs)
    hidden = inputs
    for index, (weight, bias) in enumerate(layers):
        hidden = (np.maximum(hidden, 0.0) if index else hidden) @ weight + bias
    return hidden


@torch.inference_mode()
def _evaluate_many(layers: Layers, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the outputs for many rows, on one thread."""
    with one_thread():
        hidden = torch.from_numpy(np.ascontiguousarray(inputs))
        for index, (weight, bias) in enumerate(layers):
            hidden = torch.matmul(hidden.relu_() if index else hidden, torch.from_numpy(weight))
            hidden += torch.from_numpy(bias)
        outputs: NDArray[np.float32] = hidden.numpy()
    return outputs


@contextmanager
def one_thread() -> Iterator[None]:
    """Have PyTorch use one thread: small networks gain nothing from more, and lose much where a core is busy."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from ``seed``, and leave PyTorch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
