"""Behaviour cloning: the policy that a dataset's actions are likeliest under, where nobody kept their probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from transreward_wrappers.networks import layers_of, one_thread, orthogonal_mlp, seeded
from transreward_wrappers.policies.gaussian import EPSILON, GaussianPolicy

UPDATES = 3_000
"""Gradient steps."""

HIDDEN = 64
BATCH = 256
LEARNING_RATE = 1e-3
LOG_STD_RATE = 2e-2
"""Of the deviation, which has far to go."""

LOG_STD = (-5.0, 2.0)
"""Bounds of the logarithm of the deviation: data of a deterministic policy have none."""

LIMIT = 10.0
"""Normalised observations are clipped to this many standard deviations."""


def clone_policy(
    observations: NDArray[Any], actions: NDArray[Any], *, updates: int = UPDATES, seed: int = 0
) -> GaussianPolicy:
    """Return the truncated Gaussian policy under which actions are likeliest, found by gradient ascent.

    Its deviation does not depend on the observation. What several policies did is one broad Gaussian to it.

    Args:
        observations: As ``(N, observation_size)``.
        actions: In ``[-1, 1]``, as ``(N, action_size)``.
        updates: Gradient steps.
        seed: Of weights and batches.
    """
    mean, variance = observations.mean(axis=0), observations.var(axis=0)
    scaled = np.clip((observations - mean) / np.sqrt(variance + EPSILON), -LIMIT, LIMIT).astype(np.float32)
    inputs, outputs = torch.from_numpy(scaled), torch.from_numpy(actions.astype(np.float32))
    with seeded(seed):
        network = orthogonal_mlp([inputs.shape[1], HIDDEN, HIDDEN, outputs.shape[1]], nn.ReLU, gain=0.01)
    log_std = nn.Parameter(torch.full((outputs.shape[1],), -0.5))
    groups: list[dict[str, Any]] = [{"params": network.parameters()}, {"params": [log_std], "lr": LOG_STD_RATE}]
    optimizer = torch.optim.Adam(groups, lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, max(updates, 1))
    generator = torch.Generator().manual_seed(seed)
    with one_thread():
        for _ in tqdm(range(updates), desc="cloning the behaviour", leave=False, disable=None):
            index = torch.randint(len(inputs), (BATCH,), generator=generator)
            loss = -log_density(torch.tanh(network(inputs[index])), log_std.clamp(*LOG_STD), outputs[index]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    weights, biases = layers_of(network)
    return GaussianPolicy(
        weights=weights,
        biases=biases,
        activation="relu",
        squash="tanh",
        log_std=log_std.detach().clamp(*LOG_STD).numpy(),
        observation_mean=mean.astype(np.float64),
        observation_variance=variance.astype(np.float64),
        limit=LIMIT,
        about={"cloned_from": len(inputs)},
    )


def log_density(means: torch.Tensor, log_std: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return log-densities of a Gaussian that is truncated to ``[-1, 1]``, as ``(B,)``."""
    inverse = torch.exp(-log_std)
    gaussian = -0.5 * ((actions - means) * inverse) ** 2 - log_std - 0.5 * math.log(2.0 * math.pi)
    within = torch.special.ndtr((1.0 - means) * inverse) - torch.special.ndtr((-1.0 - means) * inverse)
    total: torch.Tensor = (gaussian - torch.log(within)).sum(dim=-1)
    return total
