"""What datasets must be to train runs at once: alike, of the pair, and no larger than memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from minari.serialization import deserialize_space

from transreward_baselines.lanes import sizes_of
from transreward_envs import Pair
from transreward_envs.pairs import ROLES
from transreward_envs.robots import ROBOTS
from transreward_wrappers.datasets import Dataset

READING = 3
"""Copies of a dataset's numbers while it is read, one after another: in double precision, and in single."""


def require_alike(sets: Mapping[str, Dataset]) -> None:
    """Raise ``ValueError`` unless all datasets have the spaces of the first."""
    (first, one), *others = sets.items()
    for name, other in others:
        for space in ("observation_space", "action_space"):
            if one.metadata[space] != other.metadata[space]:
                raise ValueError(
                    f"Runs that train at once have data of the same spaces; the {space.replace('_', ' ')} of {first} "
                    f"is {one.metadata[space]}, that of {name} {other.metadata[space]}. Train them apart."
                )


def require_of_pair(sets: Mapping[str, Dataset], pair: Pair) -> None:
    """Raise ``ValueError`` unless datasets are of the target's robot and, where they say it, of one of both domains."""
    ours = [(pair.robot_of(role).name, pair.kwargs(role)) for role in ROLES]
    sizes = sizes_of(pair.spec("target"))
    for name, dataset in sets.items():
        own = tuple(int(np.prod(space_of(dataset, space).shape)) for space in ("observation_space", "action_space"))
        if own != sizes or _robot_of(dataset) not in (None, pair.robot):
            raise ValueError(
                f"Data must be of {pair.robot}, the robot of {pair.name}'s target, whose observations and actions have "
                f"{sizes} numbers; those of {name}, of {_robot_of(dataset) or 'a robot that it does not name'}, have "
                f"{own}. Give data of this robot."
            )
        if "pair" in dataset.about and "domain" in dataset.about:
            theirs, role = Pair.from_json(dataset.about["pair"]), dataset.about["domain"]
            if (theirs.robot_of(role).name, theirs.kwargs(role)) not in ours:
                raise ValueError(
                    f"Data must be of one of {pair.name}'s domains; {name} is of the {role} of {theirs.name}. Build "
                    f"its own: transreward data build --pair {pair.name}."
                )


def _robot_of(dataset: Dataset) -> str | None:
    """Return the name of the robot that data say they are of: by their pair, or by Gymnasium's id, as Minari's do."""
    if "pair" in dataset.about and "domain" in dataset.about:
        return Pair.from_json(dataset.about["pair"]).robot_of(dataset.about["domain"]).name
    stock = str(json.loads(dataset.metadata.get("env_spec") or "{}").get("id", "")).rpartition("-v")[0]
    return stock if stock in ROBOTS else None


def require_memory(sets: Mapping[str, Dataset], device: torch.device) -> None:
    """Raise ``MemoryError`` where data would take more memory than there is."""
    steps = sum(dataset.total_steps for dataset in sets.values())
    one = next(iter(sets.values()))
    observation, action = (int(np.prod(space_of(one, name).shape)) for name in ("observation_space", "action_space"))
    width = 2 * observation + action + 3
    reading = READING * max(dataset.total_steps for dataset in sets.values()) if device.type == "cpu" else 0
    needed, free = 4 * (steps + reading) * width, free_memory(device)
    if needed > free:
        raise MemoryError(
            f"{len(sets)} datasets of {steps:,} transitions take {needed / 2**30:.1f} GiB on {device}, which has "
            f"{free / 2**30:.1f} GiB free. Give fewer datasets to one command."
        )


def require_room(networks: torch.nn.Module, *, runs: int, rows: int, device: torch.device) -> None:
    """Raise ``MemoryError`` where networks, and what training them takes, would be larger than memory.

    Counted are weights, gradients and Adam's two moments, what is kept beside them, and what the layers of the widest
    network give in the largest pass that is learned from, with the gradients of that. Networks on PyTorch's device
    ``meta`` take none themselves.

    Args:
        networks: All, each with its runs side by side.
        runs: How many.
        rows: Of that pass, in each run.
        device: Where they are to be.
    """
    weights = sum(one.numel() * (1 + 3 * one.requires_grad) for one in networks.parameters())
    outputs = max(sum(one.numel() for one in part.parameters() if is_bias(one)) for part in networks.children())
    kept = sum(one.numel() for one in networks.buffers())
    needed, free = 4 * (weights + kept + 2 * rows * outputs), free_memory(device)
    if needed > free:
        raise MemoryError(
            f"{runs} runs at once take about {needed / 2**30:.1f} GiB on {device} beside their data, which has "
            f"{free / 2**30:.1f} GiB free. Give fewer seeds or datasets to one command."
        )


def is_bias(parameter: torch.nn.Parameter) -> bool:
    """Whether a parameter has a number for each output of a stacked layer."""
    return parameter.ndim == 3 and parameter.shape[1] == 1


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else []:
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return 2**62


def space_of(dataset: Dataset, name: str) -> Box:
    """Return a dataset's space by the name that its metadata have for it."""
    space = deserialize_space(dataset.metadata[name])
    assert isinstance(space, Box)
    return space
