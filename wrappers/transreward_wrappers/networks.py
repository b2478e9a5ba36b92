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
from torch.nn import functional


def silu_mlp(*sizes: int) -> nn.Sequential:
    """Return a network with SiLU between its layers."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def orthogonal_mlp(sizes: Sequence[int], activation: type[nn.Module], *, gain: float) -> nn.Sequential:
    """Return linear layers with orthogonal weights and no offsets, and an activation between each two.

    Args:
        sizes: Layer sizes, inputs and outputs included.
        activation: Class of the activation.
        gain: Of the last layer's weights; that of the others is the root of 2.
    """
    layers: list[nn.Module] = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        layer = nn.Linear(inputs, outputs)
        nn.init.orthogonal_(layer.weight, gain if index == len(sizes) - 2 else 2.0**0.5)
        nn.init.zeros_(layer.bias)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def layers_of(network: nn.Sequential) -> tuple[tuple[NDArray[np.float32], ...], tuple[NDArray[np.float32], ...]]:
    """Return copies of the weights, as ``(outputs, inputs)`` each, and of the offsets of all linear layers."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    weights = tuple(layer.weight.detach().cpu().numpy().copy() for layer in layers)
    return weights, tuple(layer.bias.detach().cpu().numpy().copy() for layer in layers)


def put_layers(
    network: nn.Sequential, weights: Sequence[NDArray[np.float32]], biases: Sequence[NDArray[np.float32]]
) -> None:
    """Put weights and offsets into all linear layers, as :func:`layers_of` returned them.

    Raises:
        ValueError: The network has other layers.
    """
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    wanted, found = [tuple(layer.weight.shape) for layer in layers], [weight.shape for weight in weights]
    if wanted != found:
        raise ValueError(f"The network's layers have the shapes {wanted}; got weights of {found}.")
    for layer, weight, bias in zip(layers, weights, biases, strict=True):
        layer.weight.data.copy_(torch.from_numpy(weight))
        layer.bias.data.copy_(torch.from_numpy(bias))


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
            hidden = torch.baddbmm(bias, hidden.relu_() if layer else hidden, weight)  # in place: a fifth less time
        return hidden


class Frozen:
    """Ensembles of MLPs as they are now, evaluated side by side and without PyTorch's bookkeeping; one output each.

    One row is evaluated by NumPy, in a third of the time that PyTorch takes for it; many rows by PyTorch on one thread.

    Args:
        networks: An ensemble, or several, of the same sizes but for their inputs: one that has fewer takes the first of
            the others'.
    """

    def __init__(self, networks: EnsembleMLP | Sequence[EnsembleMLP]) -> None:
        several = [networks] if isinstance(networks, EnsembleMLP) else networks
        self._layers = list(_side_by_side(several))
        self._arrays = [(weight.numpy(), bias.numpy()) for weight, bias in self._layers]
        first, offset = self._layers[0]
        self._members = len(first)
        self._first = first.permute(1, 0, 2).reshape(first.shape[1], -1).contiguous()  # all members side by side
        self._offset = offset.reshape(1, -1)

    def __call__(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map ``(B, inputs)`` to ``(K, B)`` for K members in all."""
        return self._one_row(inputs) if len(inputs) == 1 else self._many_rows(inputs)

    def _one_row(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        hidden = inputs
        for index, (weight, bias) in enumerate(self._arrays):
            hidden = (np.maximum(hidden, 0.0) if index else hidden) @ weight + bias
        return hidden[..., 0]

    @torch.inference_mode()
    def _many_rows(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with one_thread():
            rows = torch.from_numpy(inputs)
            hidden = torch.addmm(self._offset, rows, self._first).view(len(rows), self._members, -1).transpose(0, 1)
            for weight, bias in self._layers[1:-1]:
                hidden = torch.baddbmm(bias, hidden.relu_(), weight)
            weight, bias = self._layers[-1]
            outputs: NDArray[np.float32] = ((hidden.relu_() * weight.mT).sum(-1) + bias[..., 0]).numpy()
        return outputs


def _side_by_side(networks: Sequence[EnsembleMLP]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield copies of weights as ``(K, inputs, outputs)`` and offsets as ``(K, 1, outputs)`` of each layer."""
    for weights, biases in zip(
        zip(*(network.weights for network in networks), strict=True),
        zip(*(network.biases for network in networks), strict=True),
        strict=True,
    ):
        inputs = max(weight.shape[1] for weight in weights)
        padded = [functional.pad(weight.detach(), (0, 0, 0, inputs - weight.shape[1])) for weight in weights]
        yield torch.cat(padded), torch.cat([bias.detach() for bias in biases])


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
    """Draw from ``seed``, and leave PyTorch's global generators, those of GPUs too, as they were."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs that are not in use yet
        if devices:
            torch.cuda.manual_seed_all(seed)
        yield
