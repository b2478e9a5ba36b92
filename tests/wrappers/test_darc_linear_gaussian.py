"""DARC on random linear-Gaussian pairs of one to eight dimensions, where the log-ratio has a closed form."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from tests.wrappers.transitions import LinearGaussian
from transreward_wrappers.darc import DARC
from transreward_wrappers.darc.quadratic import quadratic_features, quadratic_size

PAIRS = range(20)
QUICK = (0, 9)
"""Pairs of one and two dimensions, which need a quarter of the samples."""

SETTINGS = {
    "quadratic": True,
    "parameterisation": "advantage",
    "input_noise": 0.0,
    "hidden": 16,
    "batch_size": 4096,
    "learning_rate": 3e-3,
    "averaging": 0.998,
    "warmup": 0,
    "fit_budget": 0,
    "update_every": 16_384,
    "updates": 16,
    "capacity": 1_000_000,
}
SAMPLES, BATCH = 1_000_000, 8_192


def random_pair(seed: int) -> tuple[LinearGaussian, LinearGaussian]:
    """Return a pair of laws between which the standard deviation of dr is drawn from 0.5 to 2."""
    rng = np.random.default_rng(seed)
    size, actions = 1 + seed % 8, 1 + int(rng.integers(0, 3))
    state = 0.9 * np.eye(size) + 0.1 * rng.standard_normal((size, size))
    action = 0.5 * rng.standard_normal((size, actions))
    changes = rng.standard_normal((size, size)), rng.standard_normal((size, actions))
    wanted, low, high = rng.uniform(0.5, 2.0), 0.0, 3.0
    source = LinearGaussian(state=state, action=action)
    for _ in range(30):
        share = (low + high) / 2.0
        target = LinearGaussian(state=state + share * changes[0], action=action + share * changes[1])
        deviation = np.mean([exact.std() for _, exact in held_out(source, target, count=4_000)])
        low, high = (share, high) if deviation < wanted else (low, share)
    return source, target


def held_out(
    source: LinearGaussian, target: LinearGaussian, *, count: int = 10_000
) -> Iterator[tuple[object, np.ndarray]]:
    """Yield transitions of each law, and their exact log-ratio."""
    for domain, law in enumerate((source, target)):
        batch = law.sample(count, domain, np.random.default_rng(1))
        yield batch, target.log_density(batch) - source.log_density(batch)


def excess(seed: int, samples: int = SAMPLES) -> float:
    """Return the largest root mean squared error on a pair, as a share of what is allowed, after so many of each."""
    source, target = random_pair(seed)
    darc, rng = DARC(**SETTINGS), np.random.default_rng(0)
    darc.bind(*source.action.shape)
    for _ in range(samples // BATCH):
        darc.update(source.sample(BATCH, 0, rng))
        darc.update(target.sample(BATCH, 1, rng))
    shares = []
    for batch, exact in held_out(source, target):
        error = np.sqrt(((darc.log_ratio(batch) - exact) ** 2).mean())
        shares.append(error / max(0.1, 0.12 * exact.std()))
    return max(shares)


def test_the_pairs_are_what_they_are_said_to_be() -> None:
    deviations = [exact.std() for seed in PAIRS for _, exact in held_out(*random_pair(seed))]
    assert 0.4 < min(deviations) < 0.8
    assert 1.6 < max(deviations) < 2.4
    assert {len(random_pair(seed)[0].state) for seed in PAIRS} == set(range(1, 9))


@pytest.mark.parametrize("seed", QUICK)
def test_the_log_ratio_of_a_small_pair_is_found(seed: int) -> None:
    assert excess(seed, SAMPLES // 4) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", PAIRS)
def test_the_log_ratio_of_a_random_pair_is_found(seed: int) -> None:
    assert excess(seed) <= 1.0


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))])
def test_a_softmax_before_the_loss_misses_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = functional.binary_cross_entropy_with_logits
    monkeypatch.setattr(
        functional,
        "binary_cross_entropy_with_logits",
        lambda logits, labels: plain(2.0 * torch.sigmoid(logits) - 1.0, labels),
    )
    assert excess(seed, SAMPLES // 4) > 1.0


@given(pair=st.integers(1, 4), more=st.integers(1, 3), seed=st.integers(0, 99))
def test_products_of_a_pairs_features_come_first(pair: int, more: int, seed: int) -> None:
    features = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, pair + more)))
    found = quadratic_features(features, pair)
    size = quadratic_size(pair)
    assert found.shape == (5, quadratic_size(pair + more))
    assert torch.equal(found[:, :size], quadratic_features(features[:, :pair], pair))
    outer = (features[:, :, None] * features[:, None, :]).flatten(1)
    for column in torch.cat([features, outer], dim=1).T:
        assert (column == found.T).all(dim=1).any()
