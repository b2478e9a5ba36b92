"""Small datasets that the offline scripts' tests learn from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from transreward_wrappers.datasets import DatasetWriter, Episode
from transreward_wrappers.datasets.writer import SCHEMA

PAIR = "InvertedPendulum-gravity-2.0"
FIRST, SECOND = "tests/pendulum/first-v0", "tests/pendulum/second-v0"
SPACES = (Box(-np.inf, np.inf, (4,), np.float64), Box(-3.0, 3.0, (1,), np.float32))


def write_dataset(
    root: Path,
    name: str,
    *,
    seed: int = 0,
    reward: float = 1.0,
    size: int = 4,
    action_space: gym.Space = SPACES[1],
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write episodes of random numbers with a pendulum's spaces, in whose actions alone rewards differ."""
    rng = np.random.default_rng(seed)
    spaces = (Box(-np.inf, np.inf, (size,), np.float64), action_space)
    with writer_of(root, name, spaces, {"seed": seed, **(about or {})}) as writer:
        for length in rng.integers(20, 60, size=8):
            actions = rng.uniform(-3.0, 3.0, size=(length, 1)).astype(np.float32)
            writer.add(
                Episode(
                    observations=rng.normal(size=(length + 1, size)) * np.arange(1, size + 1),
                    actions=actions,
                    rewards=reward * (1.0 - np.abs(actions[:, 0] - 1.5)),
                    terminated=bool(length % 2),
                )
            )


def writer_of(root: Path, name: str, spaces: tuple[gym.Space, gym.Space], about: Mapping[str, Any]) -> DatasetWriter:
    """Return what writes a dataset with spaces of observations and actions."""
    return DatasetWriter(
        root / name,
        observation_space=spaces[0],
        action_space=spaces[1],
        metadata={
            "dataset_id": name,
            "minari_version": "0.5.3",
            "data_format": "hdf5",
            "transreward": {"schema": SCHEMA, **about},
        },
    )


@pytest.fixture(autouse=True)
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "sets"
    write_dataset(root, FIRST, seed=1)
    write_dataset(root, SECOND, seed=2, reward=2.0)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    return root
