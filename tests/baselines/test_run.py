"""Runs of the scripts here: killed and resumed, of another directory, of a training id, within a time or a budget."""

import dataclasses
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from transreward_baselines import dreamer, ppo, sac
from transreward_baselines.ppo import Args, main
from transreward_baselines.results import Evaluation, read_rows
from transreward_baselines.run_directory import RunDirectoryError, checkpoints

SMALL = {
    "device": "cpu",
    "env_id": "InvertedPendulum-v5",
    "num_envs": 4,
    "num_steps": 16,
    "hidden": 8,
    "epochs": 2,
    "eval_episodes": 2,
    "eval_every": 128,
    "checkpoint_every": 128,
    "total_steps": 256,
}
DARC = ("warmup=60", "hidden=8", "batch_size=16", "update_every=16")
FIT = ("fit_budget=40", "fit_updates=2", "hidden=8")


def small(out: Path, **changes: object) -> Args:
    return Args(**{**SMALL, "out": out, **changes})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")
@pytest.mark.parametrize("script", [ppo, sac, dreamer])
def test_a_run_trains_and_resumes_on_a_gpu(script: ModuleType, tmp_path: Path) -> None:
    shared = {"device": "cuda", "env_id": "TransReward/Hopper-v0", "out": tmp_path / "run", "num_envs": 4}
    small = {"eval_episodes": 2, "eval_every": 256, "checkpoint_every": 256}
    more = {"num_steps": 16} if script is ppo else {"learning_starts": 64}
    for steps in (256, 512):
        assert script.main(script.Args(**shared, **small, **more, total_steps=steps))[-1].step == steps


@pytest.mark.parametrize("script", [sac, dreamer])
def test_a_resumed_run_draws_other_transitions_than_those_it_began_with(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn: Callable[..., Any] = script.learn
    streams: list[int] = []

    def spy(agent: Any, *more: Any) -> Any:
        streams.append(agent.replay._generator.bit_generator.seed_seq.generate_state(1)[0])
        return learn(agent, *more)

    monkeypatch.setattr(script, "learn", spy)
    shared = {name: SMALL[name] for name in ("device", "env_id", "eval_episodes", "eval_every", "checkpoint_every")}
    for steps in (128, 256):
        script.main(script.Args(**shared, out=tmp_path / "run", num_envs=2, hidden=8, total_steps=steps))
    assert len(set(streams)) == 2


def test_a_run_is_resumed_to_the_same_steps_and_evaluations(tmp_path: Path) -> None:
    whole = main(small(tmp_path / "whole"))
    main(small(tmp_path / "parts", total_steps=128))
    parts = main(small(tmp_path / "parts"))
    assert [row.step for row in parts] == [row.step for row in whole] == [128, 256]
    assert parts == read_rows(tmp_path / "parts", Evaluation)
    assert parts[0].return_mean == whole[0].return_mean
    assert parts[0].seconds < parts[1].seconds
    assert main(small(tmp_path / "parts")) == parts  # nothing is left to do
    names = [{path.name for path in (tmp_path / name).iterdir()} for name in ("whole", "parts")]
    assert names[0] == names[1] == {"config.json", "results.csv", "logs", "checkpoint-000000000256", ".lock"}


def endless(out: Path) -> None:
    main(small(out, total_steps=10**9))


@contextmanager
def training(out: Path) -> Iterator[None]:
    """Have another process train, which has left a checkpoint by then and is killed afterwards."""
    process = multiprocessing.get_context("spawn").Process(target=endless, args=(out,))
    process.start()
    try:
        deadline = time.monotonic() + 300
        while not checkpoints(out):
            assert time.monotonic() < deadline, "it has left no checkpoint"
            time.sleep(0.01)
        yield
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with training(run):
        pass
    reached = int(checkpoints(run)[-1].name.split("-")[1])
    rows = main(small(run, total_steps=reached + 256))
    assert [row.step for row in rows] == list(range(128, reached + 257, 128))
    assert json.loads((run / "config.json").read_text())["script"] == "ppo"


def test_a_directory_of_another_run_is_refused(tmp_path: Path) -> None:
    main(small(tmp_path / "run", total_steps=64))
    with pytest.raises(RunDirectoryError, match=r"has another \(gamma: 0.9\d there, 0.5 asked for\)"):
        main(small(tmp_path / "run", gamma=0.5))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(RunDirectoryError, match="A new run needs an empty directory"):
        main(small(tmp_path / "other"))
    path = checkpoints(tmp_path / "run")[-1] / "agent.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        main(small(tmp_path / "run", total_steps=128))
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(RunDirectoryError, match="is not a run's configuration"):
        main(small(tmp_path / "run"))


def test_evaluations_do_not_count_as_training_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0  # of a clock that goes on in evaluations alone

    def slow(*_: object, **__: object) -> np.ndarray:
        nonlocal now
        now += 1.0
        return np.zeros(2)

    monkeypatch.setattr("transreward_baselines.run.evaluate_id", slow)
    monkeypatch.setattr("transreward_baselines.run.time", SimpleNamespace(perf_counter=lambda: now))
    rows = main(small(tmp_path / "run"))
    assert now == 2.0
    assert [(row.step, row.seconds) for row in rows] == [(128, 0.0), (256, 0.0)]


def test_a_run_ends_when_its_time_is_over(tmp_path: Path) -> None:
    (row,) = main(small(tmp_path / "run", max_seconds=1e-6))
    assert row.step == 64
    assert main(small(tmp_path / "run", max_seconds=1e-6)) == [row]
    assert main(small(tmp_path / "run"))[-1].step == 256


def test_a_training_id_is_evaluated_in_both_domains_and_resumed(tmp_path: Path) -> None:
    changes = {
        "env_id": "TransReward/Hopper-gravity-2.0-darc-v0",
        "settings": DARC,
        "eval_every": 1_000,
    }
    rows = main(small(tmp_path / "run", **changes))
    assert [row.domain for row in rows] == ["target", "source"]
    assert rows[0].return_mean != rows[1].return_mean
    (path,) = checkpoints(tmp_path / "run")
    spent = json.loads((path / "progress.json").read_text())["spent"]
    assert sum(spent.values()) == 256
    rows = main(small(tmp_path / "run", **{**changes, "total_steps": 320}))
    assert [row.step for row in rows] == [256, 256, 320, 320]
    (path,) = checkpoints(tmp_path / "run")
    assert sum(json.loads((path / "progress.json").read_text())["spent"].values()) == 320


def test_a_run_ends_where_a_budget_of_target_steps_does(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-target-v0"
    args = small(tmp_path / "run", env_id=env_id, settings=("target_budget=150",), total_steps=1_000)
    rows = main(args)
    assert [row.step for row in rows] == [128, 148]  # lanes end together: two steps are left of the budget
    (path,) = checkpoints(tmp_path / "run")
    assert json.loads((path / "progress.json").read_text())["spent"] == {"source": 0, "target": 148}
    assert main(args) == rows


def test_steps_of_sac_that_the_budget_ends_within_a_block_count(tmp_path: Path) -> None:
    settings = {"env_id": "TransReward/Hopper-gravity-2.0-target-v0", "settings": ("target_budget=150",)}
    shared = {"num_envs": 4, "hidden": 8, "learning_starts": 64, "batch_size": 8, "eval_episodes": 2, "eval_every": 64}
    rows = sac.main(sac.Args(**settings, **shared, device="cpu", total_steps=1_000, out=tmp_path / "run"))
    assert [(row.step, row.target_steps) for row in rows] == [(64, 64), (128, 128), (148, 148)]


def test_evaluations_spend_none_of_the_budget_and_run_to_their_end(tmp_path: Path) -> None:
    settings = {"env_id": "TransReward/InvertedPendulum-gravity-2.0-target-v0", "total_steps": 64}
    free = main(small(tmp_path / "free", **settings))
    bound = main(small(tmp_path / "bound", **settings, settings=("target_budget=64", f"shared_state={tmp_path}")))
    assert [row.return_mean for row in bound] == [row.return_mean for row in free]
    assert bound[-1].return_mean > 3.0


@pytest.mark.parametrize(
    ("suffix", "settings", "source", "target"),
    [
        ("source", (), 256, 0),
        ("target", (), 0, 256),
        ("target", ("target_budget=512",), 0, 256),
        ("reward-transfer", FIT, 40, 256),
    ],
)
def test_every_row_tells_the_steps_in_each_domain(
    suffix: str, settings: tuple[str, ...], source: int, target: int, tmp_path: Path
) -> None:
    env_id = f"TransReward/InvertedPendulum-gravity-2.0-{suffix}-v0"
    rows = main(small(tmp_path / "run", env_id=env_id, settings=settings, eval_both=True))
    assert [(row.step, row.domain) for row in rows] == [
        (128, "target"),
        (128, "source"),
        (256, "target"),
        (256, "source"),
    ]
    assert [(row.source_steps, row.target_steps) for row in rows[-2:]] == [(source, target)] * 2
    assert read_rows(tmp_path / "run", Evaluation) == rows


def test_steps_in_both_domains_add_up_over_a_resumption(tmp_path: Path) -> None:
    changes = {"env_id": "TransReward/InvertedPendulum-gravity-2.0-darc-v0", "settings": (*DARC, "time_limit=10")}
    main(small(tmp_path / "run", **changes, total_steps=128))
    rows = main(small(tmp_path / "run", **changes))
    assert [row.source_steps + row.target_steps for row in rows] == [128, 128, 256, 256]
    assert 0 < rows[0].target_steps < rows[-1].target_steps < rows[-1].source_steps


def test_both_domains_are_those_of_a_pair_in_whose_target_the_policy_can_act(tmp_path: Path) -> None:
    for env_id in ("TransReward/Hopper-v0", "TransReward/Walker2d-from-Hopper-source-v0"):
        with pytest.raises(ValueError, match="`eval_both` is for the ids of pairs, and not for a source of another"):
            small(tmp_path, env_id=env_id, eval_both=True)
    rows = main(small(tmp_path / "run", env_id="TransReward/Walker2d-from-Hopper-target-v0", eval_both=True))
    assert [(row.step, row.domain) for row in rows] == [(128, "target"), (256, "target")]


def test_a_run_of_an_earlier_version_is_read_and_resumed(tmp_path: Path) -> None:
    changes = {"env_id": "TransReward/InvertedPendulum-gravity-2.0-target-v0"}
    first = main(small(tmp_path / "run", **changes, total_steps=128))
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    del settings["eval_both"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(settings))
    names = [field.name for field in dataclasses.fields(Evaluation)][:-2]
    lines = [",".join(names), *(",".join(str(getattr(row, name)) for name in names) for row in first)]
    (tmp_path / "run" / "results.csv").write_text("\n".join(lines))
    rows = main(small(tmp_path / "run", **changes))
    assert rows[0] == dataclasses.replace(first[0], source_steps=None, target_steps=None)
    assert (rows[1].source_steps, rows[1].target_steps) == (0, 256)
    assert read_rows(tmp_path / "run", Evaluation) == rows
    with pytest.raises(RunDirectoryError, match=r"has another \(eval_both: False there, True asked for\)"):
        main(small(tmp_path / "run", **changes, eval_both=True))


class Stepping(gym.Env):
    """An environment with attributes that are called as those of training ids are."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,))
    action_space = gym.spaces.Box(-1.0, 1.0, (1,))
    steps, save_state = 0, "elsewhere"

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        return np.zeros(1, dtype=np.float32), 0.0, False, True, {}


def test_attributes_of_a_foreign_environment_are_not_taken_for_those_of_a_training_id(tmp_path: Path) -> None:
    gym.register("Stepping-v0", entry_point=Stepping)
    try:
        assert main(small(tmp_path / "run", env_id="Stepping-v0"))[-1].step == 256
    finally:
        gym.registry.pop("Stepping-v0")


def test_one_process_at_a_time_fills_a_directory(tmp_path: Path) -> None:
    run = tmp_path / "run"
    message = "is filled by one process; another one trains in .*run. Wait"
    with training(run), pytest.raises(RunDirectoryError, match=message):
        main(small(run))
    reached = int(checkpoints(run)[-1].name.split("-")[1])
    assert main(small(run, total_steps=reached + 256))[-1].step == reached + 256


def test_keywords_that_change_observations_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    settings = ("exclude_current_positions_from_observation=false",)
    with pytest.raises(ValueError, match=r"those of .*-target-v0 have the shape \(11,\), those in training \(12,\)"):
        main(small(tmp_path / "run", env_id="TransReward/Hopper-mass-2.0-mixture-v0", settings=settings))
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_begin_lets_its_directory_go(tmp_path: Path) -> None:
    run = tmp_path / "run"
    main(small(run))
    whole = (run / "results.csv").read_text()
    (run / "results.csv").write_text(whole.replace("step", "stop", 1))
    with pytest.raises(Exception, match="results") as kept:
        main(small(run, total_steps=384))
    (run / "results.csv").write_text(whole)
    assert main(small(run, total_steps=384))[-1].step == 384
    assert kept.tb is not None
