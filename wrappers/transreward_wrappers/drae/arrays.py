"""NumPy's arrays and PyTorch's tensors under the names that both have."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Array = Any
"""An array of NumPy's, or a tensor of PyTorch's: estimates are of the kind, and on the device, of what they are of."""


def namespace(*arrays: Array) -> Any:
    """Return NumPy or PyTorch, whichever all arrays are of.

    Raises:
        TypeError: They are of both.
    """
    kinds = {isinstance(array, torch.Tensor) for array in arrays}
    if len(kinds) > 1:
        raise TypeError("Arrays must be all of NumPy or all tensors of PyTorch; got both. Convert one of the kinds.")
    return torch if kinds == {True} else np


def in_float64(array: Array) -> Array:
    """Return numbers in float64; of a tensor, without its gradient."""
    if isinstance(array, torch.Tensor):
        return array.detach().to(torch.float64)
    return np.asarray(array, dtype=np.float64)


def as_booleans(array: Array) -> Array:
    """Return truth values."""
    return array.to(torch.bool) if isinstance(array, torch.Tensor) else np.asarray(array, dtype=np.bool_)


def on_host(array: Array) -> np.ndarray[Any, Any]:
    """Return an array of NumPy's."""
    return array.cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)


def like(values: np.ndarray[Any, Any], array: Array) -> Array:
    """Return values of NumPy's as what ``array`` is, where it is."""
    return torch.from_numpy(values).to(array.device) if isinstance(array, torch.Tensor) else values
