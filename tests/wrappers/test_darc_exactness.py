"""DARC against the exact log-ratio on random linear-Gaussian pairs, which a softmax before the loss would miss."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.wrappers.transitions import LinearGaussian
from transreward_wrappers.darc import DARC
from transreward_wrappers.darc import learner as learner_module

PAIRS = 20
SAMPLES = 1_000_000
"""Of each domain."""

ROUND = 10_000
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def random_pair(seed: int) -> tuple[LinearGaussian, LinearGaussian]:
    """Return two laws of 1 to 8 dimensions whose log-ratio deviates by 0.5 to 2 nats on the source's transitions."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 9))
    actions = int(generator.integers(1, 4))
    state, action = 0.3 * generator.standard_normal((size, size)), 0.3 * generator.standard_normal((size, actions))
    source = LinearGaussian(state=state, action=action)
    turn = generator.standard_normal((size, size)), generator.standard_normal((size, actions))
    wanted, low, high = generator.uniform(0.5, 2.0), 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        target = LinearGaussian(state=state + middle * turn[0], action=action + middle * turn[1])
        deviation = exact(source, target, source.sample(20_000, 0, np.random.default_rng(1))).std()
        low, high = (middle, high) if deviation < wanted else (low, middle)
    return source, target


def exact(source: LinearGaussian, target: LinearGaussian, batch: object) -> np.ndarray:
    return target.log_density(batch) - source.log_density(batch)


def errors(source: LinearGaussian, target: LinearGaussian) -> tuple[float, float]:
    """Return the root mean square error of DARC's log-ratio on source transitions, and the bound on it."""
    darc = DARC(
        warmup=0,
        fit_budget=0,
        input_noise=0.0,
        batch_size=4_096,
        learning_rate=3e-3,
        hidden=64,
        update_every=2 * ROUND,
        updates=40,
        capacity=SAMPLES,
        parameterisation="advantage",
    )
    darc.bind(len(source.state), source.action.shape[1])
    generator = np.random.default_rng(0)
    rounds = SAMPLES // ROUND
    for index in range(rounds):
        darc.update(source.sample(ROUND, 0, generator))
        darc.update(target.sample(ROUND, 1, generator))
        darc.learner._optimizer.param_groups[0]["lr"] = 3e-3 * (1.0 - index / rounds) + 1e-5
    batch = source.sample(20_000, 0, np.random.default_rng(1))
    wanted = exact(source, target, batch)
    error = darc.log_ratio(batch) - wanted
    return float(np.sqrt((error**2).mean())), max(0.1, 0.12 * float(wanted.std()))


def double_softmax(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the loss of public code: cross-entropy of what is a softmax of logits already."""
    probabilities = torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=-1)
    return functional.cross_entropy(probabilities.reshape(-1, 2), labels.reshape(-1).long())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(PAIRS))
def test_the_log_ratio_of_a_random_linear_gaussian_pair_is_found(seed: int) -> None:
    error, bound = errors(*random_pair(seed))
    assert error <= bound


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, PAIRS, 5))
def test_a_softmax_before_the_loss_misses_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_module.functional, "binary_cross_entropy_with_logits", double_softmax)
    error, bound = errors(*random_pair(seed))
    assert error > 2.0 * bound
