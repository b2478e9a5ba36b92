"""Where networks are: on a CPU, or on a GPU."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from transreward_envs.errors import unknown

DeviceName = Literal["auto", "cpu", "cuda"]
"""``auto`` is the GPU if there is one."""


def require_device(name: str) -> None:
    """Raise unless a device has a name, and is there.

    Raises:
        ValueError: It has none, or PyTorch finds no GPU.
    """
    if name not in get_args(DeviceName):
        raise ValueError(unknown("device", name, get_args(DeviceName)))
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("`device` can be 'cuda' where PyTorch finds a GPU; it finds none. Use 'cpu' or 'auto'.")


def torch_device(name: DeviceName) -> torch.device:
    """Return the device that a name means."""
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    return torch.device(chosen)
