"""Teaches a policy to a smaller network by imitation where the network itself goes: DAgger (arXiv:1011.0686)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray
from torch.nn import functional

from transreward_baselines.lanes import Lanes, make_lanes
from transreward_baselines.parts.normalization import RunningStatistics
from transreward_baselines.ppo import ACTIVATIONS
from transreward_wrappers.networks import layers_of, orthogonal_mlp
from transreward_wrappers.policies import GaussianPolicy

LANES = 32
ROUNDS = 10
STEPS = 500
"""Of each lane, in a round."""

GRADIENT_STEPS = 3_000
"""Of a round."""

BATCH = 512
LEARNING_RATES = (1e-3, 1e-4)
"""In the first round, and in the last."""

JOLT = 0.1
"""Deviation of the noise on what is acted, so that a policy is taught to recover."""

LOG_STD = -1.5


def teach(
    teacher: GaussianPolicy,
    spec: EnvSpec,
    *,
    hidden: int,
    activation: str,
    seed: int,
    gradient_steps: int = GRADIENT_STEPS,
) -> GaussianPolicy:
    """Return a policy of another shape that acts as the teacher does, with the teacher's origin.

    Args:
        teacher: Whom to imitate.
        spec: Of the domain that both act in.
        hidden: Width of the student's two hidden layers.
        activation: Of these, ``relu`` or ``tanh``.
        seed: Of network, episodes and noise.
        gradient_steps: Of each round.
    """
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    sizes = (teacher.observation_size, hidden, hidden, teacher.action_size)
    network = orthogonal_mlp(sizes, ACTIVATIONS[activation], gain=0.01)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    statistics, student, seen = RunningStatistics(teacher.observation_size), teacher, []
    lanes = Lanes(make_lanes(spec, LANES, threads=1))
    try:
        for turn, rate in enumerate(np.geomspace(*LEARNING_RATES, ROUNDS)):
            met = _observations(student, lanes, generator, seed + turn * LANES)
            seen.append(met)
            statistics.update(met)
            optimizer.param_groups[0]["lr"] = float(rate)
            _imitate(network, optimizer, teacher, np.concatenate(seen), statistics, gradient_steps)
            student = _as_policy(network, activation, statistics, teacher)
    finally:
        lanes.close()
    return student


def _observations(
    policy: GaussianPolicy, lanes: Lanes, generator: np.random.Generator, seed: int
) -> NDArray[np.float64]:
    """Return what a policy that is jolted observes, as ``(STEPS * LANES, observation_size)``."""
    observations, met = lanes.reset(seed=seed), []
    for _ in range(STEPS):
        met.append(observations)
        noise = JOLT * generator.standard_normal((lanes.num_envs, lanes.action_size))
        observations = lanes.step(np.clip(policy(observations) + noise, -1.0, 1.0)).observations
    return np.concatenate(met)


def _imitate(
    network: torch.nn.Sequential,
    optimizer: torch.optim.Optimizer,
    teacher: GaussianPolicy,
    observations: NDArray[Any],
    statistics: RunningStatistics,
    steps: int,
) -> None:
    """Descend the squared difference to the teacher's actions."""
    inputs = torch.from_numpy(statistics.normalise(observations))
    actions = torch.from_numpy(teacher(observations))
    for _ in range(steps):
        rows = torch.randint(len(inputs), (BATCH,))
        loss = functional.mse_loss(network(inputs[rows]), actions[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _as_policy(
    network: torch.nn.Sequential, activation: str, statistics: RunningStatistics, teacher: GaussianPolicy
) -> GaussianPolicy:
    """Return the network as a policy."""
    weights, biases = layers_of(network)
    return replace(
        teacher,
        weights=weights,
        biases=biases,
        activation=activation,
        squash="clip",
        log_std=np.full(teacher.action_size, LOG_STD, dtype=np.float32),
        observation_mean=statistics.mean,
        observation_variance=statistics.variance,
        limit=10.0,
    )
