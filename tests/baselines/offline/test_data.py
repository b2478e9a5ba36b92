"""Data of many runs: each draws from its own sets, as it would alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from tests.baselines.offline.conftest import FIRST, SECOND, SPACES, write_dataset, writer_of
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.streams import BLOCK, Streams
from transreward_wrappers.datasets import DatasetError, Episode, load_dataset

CPU = torch.device("cpu")
RUNS = [FIRST, SECOND, f"{FIRST}+{SECOND}"]


def rows(name: str) -> set[tuple[float, ...]]:
    flat = load_dataset(name).transitions()
    return set(map(tuple, flat.observations.astype(np.float32).tolist()))


def test_each_run_draws_from_all_of_its_own_sets_and_no_other() -> None:
    data = OfflineData(RUNS, device=CPU, normalise=False)
    streams, seen = Streams([0, 1, 2], CPU), [set[tuple[float, ...]](), set(), set()]
    for _ in range(100):
        for run, one in enumerate(data.sample(streams, 128).observations):
            seen[run] |= set(map(tuple, one.tolist()))
    assert seen == [rows(FIRST), rows(SECOND), rows(FIRST) | rows(SECOND)]
    assert data.sizes.tolist() == [len(one) for one in seen]


def test_a_transition_is_drawn_whole_with_actions_scaled_to_one() -> None:
    data = OfflineData([FIRST], device=CPU, normalise=False)
    flat = load_dataset(FIRST).transitions()
    batch = data.rows(torch.arange(len(flat))[None])
    for field, values in {
        "observations": flat.observations,
        "actions": flat.actions / 3.0,
        "rewards": flat.rewards,
        "next_observations": flat.next_observations,
        "bootstrap": 1.0 - flat.terminated,
    }.items():
        np.testing.assert_allclose(getattr(batch, field)[0], values, rtol=1e-5, atol=1e-6)
    assert 0 < flat.terminated.sum() < flat.episode.max() + 1, "an end by the time limit bootstraps"


@pytest.mark.parametrize("run", range(3))
def test_a_run_draws_among_others_what_it_draws_alone(run: int) -> None:
    together, alone = OfflineData(RUNS, device=CPU), OfflineData([RUNS[run]], device=CPU)
    streams, own = Streams([5, 6, 7], CPU), Streams([5 + run], CPU)
    for _ in range(BLOCK + 2):
        first, second = together.sample(streams, 16), alone.sample(own, 16)
        assert torch.equal(first.rewards[run], second.rewards[0])
        assert torch.equal(first.observations[run], second.observations[0])


def test_observations_are_normalised_by_each_runs_own_data() -> None:
    data = OfflineData(RUNS, device=CPU)
    flat = [load_dataset(name).transitions().observations for name in (FIRST, SECOND)]
    np.testing.assert_allclose(data.mean[1, 0], flat[1].mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(data.deviation[2, 0], np.concatenate(flat).std(axis=0) + 1e-3, rtol=1e-4)


def test_streams_go_on_where_they_were_and_purposes_do_not_touch_one_another() -> None:
    first, second = Streams([3, 4], CPU), Streams([3, 4], CPU)
    expected = [first.normal("a", 2) for _ in range(BLOCK + 5)]
    for index, want in enumerate(expected):
        second.uniform("b", 3)
        if index == BLOCK + 2:
            again = Streams([3, 4], CPU)
            again.restore(second.drawn)
            second = again
        assert torch.equal(second.normal("a", 2), want)
    assert not torch.equal(expected[0][0], expected[0][1])
    assert not torch.equal(expected[0], expected[1])


def test_data_that_do_not_fit_are_refused(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(datasets, "tests/other-v0", size=5)
    with pytest.raises(ValueError, match="Runs that train at once have data of the same spaces; the observation space"):
        OfflineData([FIRST, "tests/other-v0"], device=CPU)
    write_dataset(datasets, "tests/wide-v0", action_space=Box(-1.0, 1.0, (1,), np.float32))
    with pytest.raises(ValueError, match="the action space of"):
        OfflineData([f"{FIRST}+tests/wide-v0"], device=CPU)
    write_dataset(datasets, "tests/nan-v0", reward=float("nan"))
    with pytest.raises(DatasetError, match=r"Data must be finite; `rewards` of .*nan-v0, episode 0 has nan at \(0,\)"):
        OfflineData(["tests/nan-v0"], device=CPU)
    with pytest.raises(FileNotFoundError, match="There is no dataset in"):
        OfflineData(["tests/nobody-v0"], device=CPU)
    monkeypatch.setattr("transreward_baselines.offline.requirements.free_memory", lambda device: 1_000)
    with pytest.raises(MemoryError, match=r"1 datasets of \d+ transitions take 0.0 GiB on cpu, which has 0.0 GiB free"):
        OfflineData([FIRST], device=CPU)


def test_an_episode_that_the_end_of_a_recording_cut_short_counts_for_no_span_of_returns(datasets: Path) -> None:
    lengths, ends = [50, 50, 30, 7], [False, False, True, False]
    for name, count in {"tests/pendulum/whole-v0": 3, "tests/pendulum/cut-v0": 4}.items():
        with writer_of(datasets, name, SPACES, {}) as writer:
            for length, terminated in list(zip(lengths, ends, strict=True))[:count]:
                ones, actions = np.ones((length + 1, 4)), np.zeros((length, 1), dtype=np.float32)
                writer.add(Episode(observations=ones, actions=actions, rewards=np.ones(length), terminated=terminated))
    names = ["tests/pendulum/whole-v0", "tests/pendulum/cut-v0", "tests/pendulum/whole-v0+tests/pendulum/cut-v0"]
    assert OfflineData(names, device=CPU).return_spans().tolist() == [20.0] * 3
