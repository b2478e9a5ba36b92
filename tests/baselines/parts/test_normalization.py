"""Running statistics of observations and rewards."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transreward_baselines.parts.normalization import RewardScaler, RunningStatistics
from transreward_wrappers.storage import load_tensors, save_tensors

GAMMA = 0.9


@given(values=st.lists(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2), min_size=2, max_size=30))
def test_running_statistics_are_those_of_all_values(values: list[list[float]]) -> None:
    statistics, table = RunningStatistics(2), np.array(values)
    for part in np.array_split(table, 3):
        statistics.update(part)
    assert np.allclose(statistics.mean, table.mean(axis=0), atol=1e-8)
    assert np.allclose(statistics.variance, table.var(axis=0), rtol=1e-6, atol=1e-6)


def test_rewards_are_divided_by_the_deviation_of_the_discounted_return() -> None:
    rewards = np.random.default_rng(0).normal(size=(50, 2))
    done = np.random.default_rng(1).random((50, 2)) < 0.2
    valid = ~np.vstack([np.zeros((1, 2), dtype=bool), done[:-1]])  # fillers follow ends
    done &= valid
    rewards[~valid] = 0.0
    returns = []
    for lane in range(2):
        total = 0.0
        for t in range(50):
            if valid[t, lane]:
                total = GAMMA * total + rewards[t, lane]
                returns.append(total)
                total = 0.0 if done[t, lane] else total
    scaler = RewardScaler(2, GAMMA)
    scaled = np.concatenate([scaler.scale(rewards[:20], done[:20], valid[:20])])
    assert scaled.dtype == np.float32
    scaled = scaler.scale(rewards[20:], done[20:], valid[20:])
    assert np.allclose(scaled, rewards[20:] / np.std(returns), atol=1e-4)


def test_normalisation_survives_a_checkpoint_exactly(tmp_path: Path) -> None:
    statistics, again = RunningStatistics(4), RunningStatistics(4)
    for scale in (1e-6, 1.0, 1e6):
        statistics.update(np.random.default_rng(0).normal(size=(7, 4)) * scale)
    save_tensors(tmp_path / "statistics.safetensors", statistics.tensors(), {})
    again.load(load_tensors(tmp_path / "statistics.safetensors")[0])
    assert np.array_equal(again.mean, statistics.mean)
    assert np.array_equal(again.variance, statistics.variance)
    assert again.count == statistics.count
    for one in (statistics, again):
        one.update(np.ones((3, 4)))
    assert np.array_equal(again.variance, statistics.variance)


def test_no_values_change_no_statistics() -> None:
    statistics = RunningStatistics(1)
    statistics.update(np.zeros((0, 1)))
    assert statistics.count == 0.0
    assert np.array_equal(statistics.variance, np.ones(1))
