"""The command with real data, classifiers and algorithms, at the smallest size that there is."""

import dataclasses
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from transreward_baselines import awr
from transreward_baselines.benchmark.dara.cells import Cell
from transreward_baselines.benchmark.dara.rows import Row, read_runs
from transreward_baselines.benchmark.dara.sets import Sets
from transreward_baselines.offline import training
from transreward_baselines.offline.agent import OfflineAgent
from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import OfflineData
from transreward_wrappers.datasets import DatasetError, load_dataset

CELL = Cell("HalfCheetah-dara-mass", "random")
WORDS = ("--cells", str(CELL), "--algorithms", "awr", "td3_bc", "--seeds", "0", "1", "--evaluations", "2")
TINY = {"size": 10_000, "updates": 4, "classifier_updates": 5, "hidden": 8, "batch_size": 16, "eval_episodes": 1}


def sets(root: Path) -> Sets:
    return Sets(cell=CELL, size=10_000, eta=0.1, classifier_updates=5, root=root)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sets")


def acted(agent: OfflineAgent, data: OfflineData, args: OfflineArgs) -> NDArray[np.float64]:
    """Return what policies do in one state, in place of returns: the robot's episodes are long."""
    seen = torch.ones(len(args.runs), 1, data.observation_size)
    return agent.act(data.normalised(seen)).detach().mean(dim=2).double().numpy()


def timeless(rows: dict[object, Row]) -> list[Row]:
    return [dataclasses.replace(row, seconds=0.0) for row in rows.values()]


def test_a_killed_table_goes_on_as_if_it_had_not_stopped(
    root: Path, tmp_path: Path, command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "evaluate", acted)
    told = command(*WORDS, **TINY, root=root)
    assert "20 runs, 20 of them to be done: 96 run-updates" in told
    whole = read_runs(tmp_path / "table")
    assert len(whole) == 20
    assert all(np.isfinite(row.score) and row.episodes == 1 for row in whole.values())
    for first, second in (("1T", "10T"), ("1T", "1T+10S"), ("1T+10S", "1T+10S-dara"), ("1T", "1T-from-10S")):
        scores = [[row.score for row in whole.values() if row.amount == amount] for amount in (first, second)]
        assert scores[0] != scores[1], f"{first} and {second} are the same"

    parts, update, steps = tmp_path / "parts", awr.AWR.update, []

    def interrupted(self: awr.AWR, batch: object, step: int) -> object:
        steps.append(step)
        if len(steps) == 4 + 3:  # of the source stage, after a checkpoint
            signal.raise_signal(signal.SIGTERM)
        return update(self, batch, step)

    monkeypatch.setattr(awr.AWR, "update", interrupted)
    command(*WORDS, **TINY, root=root, out=parts, code=130)
    assert len(read_runs(parts)) == 8
    command(*WORDS, **TINY, root=root, out=parts)
    assert timeless(read_runs(parts)) == timeless(whole)
    assert steps == [0, 1, 2, 3, 0, 1, 2, 2, 3, 0, 1, 2, 3]


def test_each_seed_has_its_own_rewards_and_they_differ_from_the_sources(root: Path) -> None:
    own = sets(root)
    own.build("1T+10S-dara", (0, 1))
    names = [own.source.id, *(own.relabelled.replace("{seed}", str(seed)) for seed in (0, 1))]
    plain, first, second = (load_dataset(name, root).transitions() for name in names)
    np.testing.assert_array_equal(plain.observations, first.observations)
    for one, other in ((plain, first), (plain, second), (first, second)):
        assert np.abs(one.rewards - other.rewards).max() > 1e-3
    told = load_dataset(names[1], root).about["compensation"]
    assert (told["settings"]["eta"], told["settings"]["seed"], told["updates"]) == (0.1, 0, 5)
    assert told["target"] == own.tenth.id
    assert dataclasses.replace(own, eta=0.2).relabelled != own.relabelled
    assert dataclasses.replace(own, classifier_updates=6).relabelled != own.relabelled


@pytest.mark.parametrize("changed", ["source", "tenth"])
def test_rewards_that_were_learnt_from_other_data_are_refused(tmp_path: Path, changed: str) -> None:
    own = sets(tmp_path)
    for _ in range(2):
        own.build("1T+10S-dara", (0,))
    with h5py.File(tmp_path / getattr(own, changed).id / "data" / "main_data.hdf5", "r+") as file:
        file["episode_0/rewards"][0] += 1.0
    with pytest.raises(DatasetError, match="relabelled from other data .* Delete it"):
        own.build("1T+10S-dara", (0,))


def test_a_tenth_that_is_shorter_than_an_episode_is_told_of_the_whole_size(tmp_path: Path) -> None:
    small = dataclasses.replace(sets(tmp_path), size=5_000)
    with pytest.raises(ValueError, match=r"1T is a tenth of `--size`, 5000\. A dataset must be at least as long"):
        small.build("1T", (0,))
