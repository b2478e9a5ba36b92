"""Datasets from policies: the same twice, cut nowhere but at the end, refused where there is nothing to build from."""

import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import h5py
import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.test_policies import policy
from transreward_baselines.cli import main as transreward
from transreward_baselines.data import QUALITIES, BuildArgs, build
from transreward_baselines.data.builder import find_parts
from transreward_baselines.data.collect import collect, lanes_for
from transreward_baselines.data.command import RecipeArgs, recipe
from transreward_baselines.data.export import export
from transreward_baselines.lanes import Lanes, LaneSteps, make_lanes
from transreward_envs import get_pair
from transreward_wrappers.datasets import Dataset, DatasetError, DatasetWriter, load_dataset
from transreward_wrappers.policies import GaussianPolicy, UniformPolicy

PAIR = "Hopper-mass-2.0"


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put policies on a shelf; one domain has no medium one."""
    folder = tmp_path / "shelf"
    levels = {"medium": 0.4, "expert": 1.0, "snapshot-0": 0.1, "snapshot-1": 0.7}
    for seed, (level, share) in enumerate(levels.items()):
        one = replace(
            policy(seed, observations=11, actions=3),
            about={"algorithm": "ppo", "level": level, "share": share, "steps": 1, "seed": seed},
        )
        one.save(folder / "Hopper" / f"Hopper-{level}.safetensors")
        if level == "expert":
            one.save(folder / "Hopper" / f"{PAIR}-target-expert.safetensors")
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(folder))
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    return folder


def tried(**changes: object) -> BuildArgs:
    settings = {"pair": PAIR, "domain": "source", "quality": "medium-replay", "size": 2_000, "threads": 1}
    return BuildArgs(**{**settings, **changes})


def arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    flat = dataset.transitions()
    return {name: getattr(flat, name) for name in ("observations", "actions", "rewards", "log_densities", "terminated")}


def test_a_dataset_is_the_same_whenever_it_is_built(tmp_path: Path) -> None:
    first, second = (build(tried(root=tmp_path / name, threads=threads)) for name, threads in (("a", 1), ("b", 2)))
    other = build(tried(root=tmp_path / "c", seed=1))
    for name, values in arrays(first).items():
        assert values.tobytes() == arrays(second)[name].tobytes()
    assert arrays(first)["actions"].tobytes() != arrays(other)["actions"].tobytes()
    files = [(dataset.directory / "data" / "main_data.hdf5").read_bytes() for dataset in (first, second)]
    assert files[0] == files[1]


def test_transitions_are_those_of_the_domain_under_the_policy() -> None:
    dataset = build(tried(quality="expert", size=1_500))
    (part,) = find_parts(get_pair(PAIR), "source", "expert")
    flat = dataset.transitions()
    np.testing.assert_allclose(
        flat.log_densities, part.behaviour.log_densities(flat.observations, flat.actions), rtol=1e-4, atol=1e-4
    )
    env = gym.make(get_pair(PAIR).spec("source"))
    env.reset(seed=0)
    robot = env.unwrapped
    for index in (0, 7, 700):
        position, velocity = np.append(0.0, flat.observations[index][:5]), flat.observations[index][5:]
        if np.abs(velocity).max() >= 10.0:
            continue  # observations clip velocities
        robot.set_state(position, velocity)
        observation, reward, *_ = robot.step(flat.actions[index])
        np.testing.assert_allclose(observation, flat.next_observations[index], atol=1e-6)
        assert reward == pytest.approx(flat.rewards[index], abs=1e-6)


def test_a_dataset_has_as_many_transitions_as_asked_and_says_where_they_are_from() -> None:
    dataset = build(tried())
    assert dataset.total_steps == len(dataset.transitions()) == 2_000
    about = dataset.about
    assert (about["pair"], about["domain"], about["quality"], about["seed"]) == (
        get_pair(PAIR).to_json(),
        "source",
        "medium-replay",
        0,
    )
    assert [one["level"] for one in about["policies"]] == ["snapshot-0", "medium"]
    assert {"transreward_envs", "mujoco", "gymnasium"} <= set(about["versions"])
    returns = [one.total_return for one in dataset.episodes() if one.terminated or len(one) == 1_000]
    assert about["return_mean"] == pytest.approx(np.mean(returns))
    counts = np.bincount(dataset.transitions().policy)
    np.testing.assert_array_equal(counts, [1_000, 1_000])


def test_episodes_are_cut_at_the_end_of_a_lane_alone() -> None:
    pair = get_pair("InvertedPendulum-mass-2.0")
    lanes = Lanes(make_lanes(pair.spec("source"), 3, threads=1))
    (part,) = find_parts(pair, "source", "random")
    episodes = list(collect(part.behaviour, lanes, 1_000, seed=3))
    lanes.close()
    assert sum(map(len, episodes)) == 1_000
    cut = [one for one in episodes if not one.terminated]
    assert 1 <= len(cut) <= 3
    for one in episodes:
        fallen = np.abs(one.observations[1:, 1]) > 0.2
        assert not fallen[:-1].any()
        assert fallen[-1] == one.terminated


def test_the_same_dataset_is_not_built_twice(tmp_path: Path) -> None:
    first = build(tried())
    file = first.directory / "data" / "main_data.hdf5"
    before = file.stat().st_mtime_ns
    assert build(tried()).directory == first.directory
    assert file.stat().st_mtime_ns == before
    (first.directory.parent / ".source-medium-replay-2000-v0.killed").mkdir()
    build(tried())
    assert not (first.directory.parent / ".source-medium-replay-2000-v0.killed").exists()


def test_a_dataset_of_other_policies_is_not_taken_for_the_same(shelf: Path) -> None:
    build(tried())
    about = GaussianPolicy.load(shelf / "Hopper" / "Hopper-medium.safetensors").about
    other = replace(policy(9, observations=11, actions=3), about=about)
    other.save(shelf / "Hopper" / "Hopper-medium.safetensors")
    with pytest.raises(DatasetError, match="was built differently: its policies are not those asked for. Delete it"):
        build(tried())


def test_two_builds_at_once_give_one_dataset() -> None:
    found: list[Dataset] = []
    threads = [threading.Thread(target=lambda: found.append(build(tried()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({dataset.directory for dataset in found}) == 1
    assert [len(dataset.transitions()) for dataset in found] == [2_000, 2_000]


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_quality_can_be_built_and_read_by_its_id(quality: str) -> None:
    args = tried(quality=quality, size=1_000 if quality in ("random", "medium", "expert") else 2_000)
    build(args)
    assert load_dataset(args.id).about["quality"] == quality


def test_a_tenth_of_target_and_all_of_source_is_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = RecipeArgs(pair=PAIR, quality="random", size=10_000, threads=1)
    target, source = recipe(args)
    assert (target.about["domain"], target.total_steps) == ("target", 1_000)
    assert (source.about["domain"], source.total_steps) == ("source", 10_000)
    transreward(["data", "recipe", "--pair", PAIR, "--quality", "random", "--size", "10000", "--amount", "1T+10S"])
    assert capsys.readouterr().out.count("transitions") == 2
    with pytest.raises(ValueError, match=r"got 500 .* The target's share is 0.1 of `size`, 5000\."):
        recipe(RecipeArgs(pair=PAIR, quality="random", size=5_000, root=tmp_path))
    with pytest.raises(ValueError, match="Unknown amount '2T'"):
        RecipeArgs(pair=PAIR, amount="2T")


def test_an_export_is_what_d4rl_style_scripts_read(tmp_path: Path) -> None:
    dataset = build(tried())
    export(dataset, tmp_path / "set.hdf5")
    flat = dataset.transitions()
    with h5py.File(tmp_path / "set.hdf5") as file:
        read = {
            name: file[name][()]
            for name in ("observations", "actions", "rewards", "next_observations", "terminals", "timeouts")
        }
        assert file["infos/action_log_probs"].shape == (2_000,)
    assert {name: values.dtype for name, values in read.items() if values.dtype != np.float32} == {
        "terminals": np.dtype(bool),
        "timeouts": np.dtype(bool),
    }
    np.testing.assert_allclose(read["next_observations"], flat.next_observations, atol=1e-4, rtol=1e-5)
    ends = read["terminals"] | read["timeouts"]
    np.testing.assert_array_equal(np.flatnonzero(ends), np.flatnonzero(np.diff(flat.episode, append=-1)))
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "set.hdf5").stat().st_mode & 0o777 == 0o666 & ~umask  # others may read it
    with pytest.raises(FileExistsError, match="needs a new file"):
        export(dataset, tmp_path / "set.hdf5")
    with pytest.raises(OSError, match="needs a folder with room and the right to write"):
        export(dataset, tmp_path / "set.hdf5" / "inside.hdf5")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".set")] == []


class MDPDataset:
    """What d3rlpy's takes."""

    def __init__(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminals: np.ndarray,
        timeouts: np.ndarray | None = None,
    ) -> None:
        assert timeouts is not None
        assert terminals.dtype == timeouts.dtype == np.float32  # it sums them
        assert len(observations) == len(actions) == len(rewards) == len(terminals)
        self.ends = (terminals + timeouts) > 0.0


def test_the_lines_for_d3rlpy_and_corl_read_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = types.ModuleType("d3rlpy"), types.ModuleType("d3rlpy.dataset")
    module.MDPDataset = MDPDataset
    monkeypatch.setitem(sys.modules, "d3rlpy", package)
    monkeypatch.setitem(sys.modules, "d3rlpy.dataset", module)
    monkeypatch.chdir(tmp_path)
    built = build(tried())
    export(built, tmp_path / "hopper.hdf5")
    text = (Path(__file__).parents[2] / "docs/datasets.md").read_text()
    first, second = re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL)
    seen: dict[str, Any] = {}
    exec(first, seen)
    assert seen["dataset"].ends.sum() == built.total_episodes
    exec(second, seen)
    assert seen["dataset"].keys() == {"observations", "actions", "rewards", "next_observations", "terminals"}
    assert len(seen["dataset"]["next_observations"]) == built.total_steps


def test_the_command_line_builds_lists_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transreward(["data", "build", "--pair", PAIR, "--quality", "random", "--size", "1000"])
    transreward(["data", "list"])
    name = "transreward/Hopper/Hopper-mass-2_0/target-random-1000-v0"
    assert capsys.readouterr().out.count(name) >= 2
    transreward(["data", "export", name, "--out", str(tmp_path / "flat.hdf5")])
    assert (tmp_path / "flat.hdf5").exists()


def test_medium_replay_without_snapshots_is_refused(shelf: Path) -> None:
    for path in (shelf / "Hopper").glob("Hopper-snapshot-*"):
        path.unlink()
    with pytest.raises(
        ValueError, match="`medium-replay` needs snapshots of Hopper's training that are worse than medium"
    ):
        build(tried())


@pytest.mark.parametrize(("name", "level", "quality"), [("algorithm", "expert", "expert"), ("share", "medium", None)])
def test_a_policy_that_does_not_say_where_it_is_from_is_refused(
    name: str, level: str, quality: str | None, shelf: Path
) -> None:
    path = shelf / "Hopper" / f"Hopper-{level}.safetensors"
    one = GaussianPolicy.load(path)
    replace(one, about={key: value for key, value in one.about.items() if key != name}).save(path)
    with pytest.raises(ValueError, match=f"metadata need '{name}'; a policy of 'Hopper'"):
        build(tried(quality=quality or "medium-replay", size=2_000))


def test_a_policy_of_another_robot_is_refused(shelf: Path) -> None:
    policy(observations=11, actions=2).save(shelf / "Hopper" / "Hopper-expert.safetensors")
    with pytest.raises(ValueError, match="own robot: .* actions of 3 numbers; got a policy with 11 and 2"):
        build(tried(quality="expert"))


def test_a_damaged_dataset_that_is_there_is_not_taken_for_built() -> None:
    path = build(tried()).directory / "data" / "main_data.hdf5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DatasetError, match="cannot be read .* and build"):
        build(tried())


def test_other_versions_are_told() -> None:
    path = build(tried()).directory / "data" / "metadata.json"
    written = json.loads(path.read_text())
    written["transreward"]["versions"]["mujoco"] = "2.1"
    path.write_text(json.dumps(written))
    with pytest.warns(UserWarning, match=r"was built by .*'mujoco': '2.1'.* Delete it to build it anew"):
        build(tried())


def build_in_process(root: Path) -> None:
    build(tried(root=root))


def build_for_ever(root: Path) -> None:
    DatasetWriter.add = lambda *_: time.sleep(600)
    build(tried(root=root))


def test_a_killed_build_starts_clean_and_two_processes_build_one_dataset(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may wait for ever
    killed = context.Process(target=build_for_ever, args=(tmp_path,))
    killed.start()
    drafts, deadline = "**/.source-*.*/data/main_data.hdf5", time.monotonic() + 300
    while killed.is_alive() and not list(tmp_path.glob(drafts)) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert list(tmp_path.glob(drafts)), "it was killed before it began to write"
    both = [context.Process(target=build_in_process, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    dataset = build(tried(root=tmp_path))
    assert dataset.total_steps == len(dataset.transitions()) == 2_000
    folder = {path.name for path in dataset.directory.parent.iterdir()}
    assert folder == {dataset.directory.name, f".{dataset.directory.name}.lock"}


class Uncertain:
    """Lanes of which one fails at a step, each episode longer than a block."""

    num_envs, action_size, observation_size = 2, 1, 1
    action_space = Box(-1.0, 1.0, (1,))

    def __init__(self, end: int = 300) -> None:
        self.steps, self.end = 0, end

    def reset(self, seed: int) -> np.ndarray:
        return np.zeros((2, 1))

    def step(self, actions: np.ndarray) -> LaneSteps:
        self.steps += 1
        over = self.steps == self.end
        last = np.full((2, 1), float(self.steps))
        return LaneSteps(
            observations=last * (not over),
            last_observations=last,
            rewards=np.full(2, 1.0),
            terminated=np.array([over, over]),
            done=np.array([over, over]),
            failed=np.array([over, False]),
            valid=np.ones(2, dtype=np.bool_),
            infos={},
        )


def test_a_step_that_failed_is_left_out_and_long_episodes_are_whole() -> None:
    episodes = list(collect(UniformPolicy(action_size=1), Uncertain(), 800, seed=0))
    assert sorted((len(one), one.terminated) for one in episodes) == [
        (100, False),
        (100, False),
        (299, False),
        (300, True),
    ]
    for one in episodes[:2]:
        np.testing.assert_array_equal(one.observations[:, 0], np.arange(len(one) + 1.0))


def test_a_lane_with_a_smaller_share_takes_no_step_more() -> None:
    episodes = list(collect(UniformPolicy(action_size=1), Uncertain(end=401), 801, seed=0))
    assert sorted(map(len, episodes)) == [400, 400]  # the other's last step failed


def test_a_dataset_that_cannot_be_read_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    odd = build(tried(quality="random", size=1_000)).directory / "data" / "metadata.json"
    build(tried(quality="expert", size=1_000))
    odd.write_text(json.dumps({**json.loads(odd.read_text()), "data_format": "arrow"}))
    transreward(["data", "list"])
    out = capsys.readouterr().out
    assert "source-expert-1000-v0" in out
    assert "must be in HDF5" in " ".join(out.split())


def test_a_full_disk_is_told_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000})
    monkeypatch.setattr("transreward_baselines.data.builder.shutil.disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="takes about 1 MB; .* has 0 MB left. Free some"):
        build(tried())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": "Hoper"}, "Unknown pair 'Hoper'"),
        ({"domain": "both"}, "Unknown domain 'both'"),
        ({"quality": "good"}, "Unknown quality 'good'"),
        ({"size": 0}, "`size` must be an integer >= 1; got 0"),
        ({"seed": -1}, "`seed` must be an integer >= 0; got -1"),
    ],
)
def test_bad_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tried(**changes)


@pytest.mark.parametrize(("quality", "policies"), [("random", 1), ("medium-expert", 2)])
def test_a_size_smaller_than_an_episode_is_refused(quality: str, policies: int) -> None:
    each = f", for each of its {policies} policies" if policies > 1 else ""
    with pytest.raises(
        ValueError, match=f"1000 steps{each}; got {policies * 1000 - 1} .* Give it {policies * 1000} or"
    ):
        build(tried(quality=quality, size=1_000 * policies - 1))


@given(size=st.integers(1, 10**6), policies=st.integers(1, 9), limit=st.sampled_from([50, 1_000]))
def test_every_lane_takes_a_whole_episode_under_each_policy(size: int, policies: int, limit: int) -> None:
    if size >= policies * limit:
        lanes = lanes_for(size, policies, limit)
        assert 1 <= lanes <= 64
        assert size // policies // lanes >= limit


def test_a_quality_that_a_domain_has_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="has no policy of level 'medium' in .*; it has expert"):
        build(tried(domain="target", quality="medium"))
    with pytest.raises(SystemExit):
        transreward(["data", "build", "--pair", PAIR, "--quality", "medium"])
    assert "has no policy of level 'medium'" in capsys.readouterr().err
