"""Datasets: written as Minari reads them, read as episodes, transitions and sequences that join nothing."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import h5py
import minari
import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.datasets import Dataset, DatasetError, DatasetWriter, Episode, dataset_id, load_dataset
from transreward_wrappers.datasets.flat import flatten, windows
from transreward_wrappers.datasets.relabel import relabel

OBSERVATIONS, ACTIONS = Box(-np.inf, np.inf, (3,)), Box(-1.0, 1.0, (2,))


def episode(seed: int, steps: int, *, terminated: bool = False, kept: bool = True) -> Episode:
    generator = np.random.default_rng(seed)
    return Episode(
        observations=generator.normal(size=(steps + 1, 3)),
        actions=generator.normal(size=(steps, 2)).astype(np.float32),
        rewards=generator.normal(size=steps),
        terminated=terminated,
        log_densities=generator.normal(size=steps) if kept else None,
        policy=seed % 2,
    )


EPISODES = [episode(seed, steps, terminated=bool(seed % 2)) for seed, steps in enumerate((5, 1, 8, 3))]


def writer(directory: Path, name: str = "transreward/Hopper/tried/target-medium-v0") -> DatasetWriter:
    metadata = {"dataset_id": name, "algorithm_name": "none", "transreward": {"schema": 1, "return_mean": 5.0}}
    return DatasetWriter(directory, observation_space=OBSERVATIONS, action_space=ACTIONS, metadata=metadata)


@pytest.fixture
def written(tmp_path: Path) -> Dataset:
    with writer(tmp_path / "transreward/Hopper/tried/target-medium-v0") as file:
        for one in EPISODES:
            file.add(one)
    return load_dataset("transreward/Hopper/tried/target-medium-v0", tmp_path)


def test_episodes_are_read_back_as_they_were_written(written: Dataset) -> None:
    read = list(written.episodes())
    assert (written.total_episodes, written.total_steps, len(read)) == (4, 17, 4)
    for ours, theirs in zip(EPISODES, read, strict=True):
        for name in ("observations", "actions", "rewards", "log_densities"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        assert (ours.terminated, ours.policy) == (theirs.terminated, theirs.policy)
    np.testing.assert_allclose(written.returns(), [one.total_return for one in EPISODES])


def test_minari_reads_the_same(written: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    assert list(minari.list_local_datasets()) == ["transreward/Hopper/tried/target-medium-v0"]
    theirs = minari.load_dataset("transreward/Hopper/tried/target-medium-v0")
    assert (theirs.total_episodes, theirs.total_steps) == (4, 17)
    assert (theirs.observation_space, theirs.action_space) == (OBSERVATIONS, ACTIONS)
    for ours, found in zip(EPISODES, theirs.iterate_episodes(), strict=True):
        np.testing.assert_array_equal(found.observations, ours.observations)
        np.testing.assert_array_equal(found.actions, ours.actions)
        assert (found.terminations[-1], found.truncations[-1]) == (ours.terminated, not ours.terminated)
        np.testing.assert_array_equal(found.infos["action_log_density"][1:], ours.log_densities)
    assert theirs.filter_episodes(lambda found: len(found.rewards) > 4).total_steps == 13


def test_what_minari_wrote_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "data").mkdir(parents=True)
    storage = minari.dataset.minari_storage.MinariStorage.new(
        tmp_path / "theirs" / "data", observation_space=OBSERVATIONS, action_space=ACTIONS
    )
    one = episode(1, 6, terminated=True)
    ends = np.arange(6) == 5
    buffer = minari.data_collector.EpisodeBuffer(
        observations=one.observations,
        actions=one.actions,
        rewards=one.rewards,
        terminations=ends,
        truncations=~ends & False,
    )
    storage.update_episodes([buffer])
    storage.update_metadata({"dataset_id": "theirs-v0", "minari_version": "0.5.4"})
    (read,) = Dataset(tmp_path / "theirs").episodes()
    np.testing.assert_array_equal(read.observations, one.observations)
    assert (read.terminated, read.log_densities) == (True, None)


lengths = st.lists(st.integers(1, 7), min_size=1, max_size=6)


@given(lengths=lengths, length=st.integers(1, 5), stride=st.integers(1, 3), pad=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_sequence_and_no_transition_crosses_the_end_of_an_episode(
    lengths: list[int], length: int, stride: int, pad: bool
) -> None:
    made = [
        Episode(
            observations=np.stack([np.full(steps + 1, float(i)), np.arange(steps + 1.0)], axis=1),
            actions=np.full((steps, 1), float(i)),
            rewards=np.arange(1.0, steps + 1.0),
            terminated=i % 2 == 0,
        )
        for i, steps in enumerate(lengths)
    ]
    flat = flatten(made, sum(lengths))
    np.testing.assert_array_equal(flat.observations[:, 0], flat.next_observations[:, 0])
    np.testing.assert_array_equal(flat.observations[:, 1] + 1.0, flat.next_observations[:, 1])
    assert (flat.terminated | flat.truncated).sum() == len(lengths)
    assert not (flat.terminated & flat.truncated).any()
    found = windows(flat, length, stride=stride, pad=pad)
    starts = [range(0, steps if pad else max(steps - length + 1, 0), stride) for steps in lengths]
    assert len(found) == sum(map(len, starts))
    expected = [(i, start) for i, these in enumerate(starts) for start in these]
    for row, (i, start) in enumerate(expected):
        steps = min(length, lengths[i] - start)
        assert found.mask[row].sum() == steps
        np.testing.assert_array_equal(found.observations[row, : steps + 1, 1], start + np.arange(steps + 1.0))
        assert set(found.observations[row, : steps + 1, 0]) == {float(i)}
        assert not found.observations[row, steps + 1 :].any()
        np.testing.assert_array_equal(found.rewards[row, :steps], start + 1.0 + np.arange(steps))
        over = start + steps == lengths[i]
        assert (found.terminated | found.truncated)[row].sum() == over


def test_a_dataset_can_be_relabelled(written: Dataset, tmp_path: Path) -> None:
    seen: list[Transitions] = []

    def compensate(batch: Transitions) -> np.ndarray:
        seen.append(batch)
        return batch.observation[:, 0] + 10.0 * batch.terminated

    new = relabel(written, compensate, tmp_path / "new", domain=0, about={"method": "tried"}, name="new-v0")
    for before, after in zip(written.episodes(), new.episodes(), strict=True):
        added = before.observations[:-1, 0].copy()
        added[-1] += 10.0 * before.terminated
        np.testing.assert_allclose(after.rewards, before.rewards + added)
        np.testing.assert_array_equal(after.observations, before.observations)
        np.testing.assert_array_equal(after.log_densities, before.log_densities)
    assert sum(map(len, seen)) == 17
    assert {int(domain) for batch in seen for domain in batch.domain} == {0}
    assert new.about["relabelled_from"] == written.metadata["dataset_id"]
    assert new.about["compensation"] == {"method": "tried"}
    assert not {"return_mean", "return_std", "whole_episodes"} & set(new.about)
    with pytest.raises(FileExistsError, match="needs a folder of its own"):
        relabel(written, compensate, tmp_path / "new", domain=0, about={}, name="new-v0")
    with pytest.raises(ValueError, match="a finite number for each of 17 transitions"):
        relabel(written, lambda b: np.full(len(b), np.nan), tmp_path / "nan", domain=0, about={}, name="nan-v0")
    assert not (tmp_path / "nan").exists()


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with writer(tmp_path / "sets" / "one") as file:
            file.add(EPISODES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list((tmp_path / "sets").iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transreward_wrappers.datasets.writer._put", full)
    with (
        pytest.raises(OSError, match=r"needs room .*No space left.* MB left.* Nothing was left behind"),
        writer(tmp_path / "one") as file,
    ):
        file.add(EPISODES[0])
    assert list(tmp_path.iterdir()) == []


def test_the_later_of_two_writers_of_one_dataset_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(FileExistsError, match="needs a folder of its own; .*one exists"),
        writer(tmp_path / "one") as first,
    ):
        with writer(tmp_path / "one") as second:
            second.add(EPISODES[0])
        first.add(EPISODES[1])
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert len(Dataset(tmp_path / "one").transitions()) == len(EPISODES[0])
    with pytest.raises(FileExistsError, match="Delete it, or choose another"), writer(tmp_path / "one"):
        pass


def test_files_can_be_read_by_whom_the_user_lets(written: Dataset) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (written.directory / "data").iterdir()}
    mask = os.umask(0)
    os.umask(mask)
    assert modes == {"main_data.hdf5": 0o666 & ~mask, "metadata.json": 0o666 & ~mask}


def test_errors_of_others_pass_through_a_writer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"), writer(tmp_path / "one"):
        raise FileNotFoundError("model.safetensors")


def write_for_ever(directory: Path) -> None:
    long = episode(0, 10_000)  # reaches the file at once
    with writer(directory) as file:
        while True:
            file.add(long)
            time.sleep(0.01)


def test_a_killed_writer_leaves_no_dataset(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(tmp_path / "one",))
    process.start()
    deadline = time.monotonic() + 300
    try:
        while not any(path.stat().st_size > 100_000 for path in tmp_path.glob("*/data/main_data.hdf5")):
            assert process.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.join()
    assert not (tmp_path / "one").exists()
    with pytest.raises(FileNotFoundError, match="There is no dataset in"):
        Dataset(tmp_path / "one")
    with writer(tmp_path / "one") as file:
        file.add(EPISODES[2])
    assert len(Dataset(tmp_path / "one").transitions()) == len(EPISODES[2])


def change(dataset: Dataset, **changes: object) -> None:
    path = dataset.directory / "data" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transreward": {"schema": 2}}, "schema must be 1; that of .* is 2. Upgrade"),
        ({"transreward": {"schema": 0}}, "schema must be 1; that of .* is 0. Delete the dataset, and build it anew"),
        ({"transreward": {"schema": "one"}}, "schema must be 1; that of .* is 'one'. Delete"),
        ({"minari_version": "0.9.0"}, r"Datasets of Minari 0\.4\.x and 0\.5\.x can be read; .* is of 0\.9\.0"),
        ({"data_format": "arrow"}, "must be in HDF5"),
    ],
)
def test_datasets_of_other_versions_are_refused(written: Dataset, changes: dict, message: str) -> None:
    change(written, **changes)
    with pytest.raises(DatasetError, match=message):
        Dataset(written.directory)


def test_damaged_datasets_are_refused(written: Dataset) -> None:
    path = written.directory / "data" / "main_data.hdf5"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DatasetError, match="cannot be read .* Delete .*, and build"):
        Dataset(written.directory).transitions()
    (written.directory / "data" / "metadata.json").write_text("{")
    with pytest.raises(DatasetError, match="is not a dataset's metadata"):
        Dataset(written.directory)


def test_a_dataset_without_its_file_has_no_digest(written: Dataset) -> None:
    assert len(written.digest()) == 64
    (written.directory / "data" / "main_data.hdf5").unlink()
    with pytest.raises(DatasetError, match="cannot be read .* Build or download it anew"):
        written.digest()


def test_a_dataset_of_another_length_than_its_metadata_say_is_refused(written: Dataset) -> None:
    first = len(next(written.episodes()))
    for promised in (18, 16, first, 0):
        change(written, total_steps=promised)
        with pytest.raises(DatasetError, match=f"promise {promised} transitions, and at least one; there are others"):
            Dataset(written.directory).transitions()


def test_observations_that_are_no_vectors_are_refused(written: Dataset) -> None:
    with h5py.File(written.directory / "data" / "main_data.hdf5", "a") as file:
        del file["episode_0/observations"]
        file["episode_0/observations"] = np.zeros((6, 4, 4))
    with pytest.raises(DatasetError, match="Observations must be vectors to be read here"):
        list(Dataset(written.directory).episodes())


def test_ids_are_such_as_minari_takes() -> None:
    name = dataset_id("Hopper", "Hopper-wind--20.0", "target", "medium-replay", 5000)
    assert name == "transreward/Hopper/Hopper-wind--20_0/target-medium-replay-5000-v0"
    minari.dataset.minari_dataset.parse_dataset_id(name)


@pytest.mark.parametrize(("observations", "actions"), [(3, 3), (5, 3), (4, 2)])
def test_episodes_whose_lengths_do_not_fit_are_refused(observations: int, actions: int) -> None:
    with pytest.raises(ValueError, match="T \\+ 1 observations, T actions and T rewards"):
        Episode(
            observations=np.zeros((observations, 3)),
            actions=np.zeros((actions, 2)),
            rewards=np.zeros(3),
            terminated=False,
        )
