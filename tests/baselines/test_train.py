"""Training runs: agents that know nothing, results, checkpoints and resuming."""

import json
import multiprocessing
import os
import re
import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from transreward_baselines.checkpoint import _agent_tensors, checkpoints, load_checkpoint, load_policy, save_checkpoint
from transreward_baselines.config import RunConfig, RunDirectoryError, read_config
from transreward_baselines.evaluation import evaluate_id
from transreward_baselines.plot import plot_learning_curves, runs_by_method
from transreward_baselines.results import Result, read_results, write_results
from transreward_baselines.sb3.agents import make_agent, make_training_env
from transreward_baselines.sb3.lanes import make_vec
from transreward_baselines.train import train
from transreward_envs import METHODS, get_pair
from transreward_wrappers import Compensation, Transitions, register_compensation
from transreward_wrappers.storage import load_tensors

PAIR = "InvertedPendulum-gravity-2.0"
DARC = {"warmup": 60, "fit_budget": 2, "update_every": 16, "batch_size": 16, "hidden": 8, "time_limit": 25}
DTW = {"fit_budget": 200, "reference_steps": 60, "segments": 0, "fit_updates": 2, "hidden": 8}
FIT = {"reward-transfer": {"fit_budget": 40, "fit_updates": 2, "hidden": 8}, "darc": DARC, "drae": DARC, "dtw": DTW}
FITTED = {"reward-transfer": 40, "dtw": 260}
"""Steps that the fit of a compensation takes in both domains together."""


def config(method: str = "darc", agent: str = "sb3-ppo", **changes: object) -> RunConfig:
    size = {"steps": 2048, "n_envs": 2} if agent == "sb3-ppo" else {"steps": 150, "n_envs": 1}
    settings = FIT.get(method, {})
    return RunConfig(
        method=method,
        agent=agent,
        **{"pair": PAIR, "eval_every": 10_000, "eval_episodes": 2, "settings": settings, **size, **changes},
    )


@pytest.mark.parametrize("agent", ["sb3-ppo", "sb3-sac"])
@pytest.mark.parametrize("method", ["source", "target", *METHODS])
def test_every_method_trains_under_every_agent(method: str, agent: str, tmp_path: Path) -> None:
    run = config(method, agent)
    (last,) = train(run, tmp_path / "run")
    assert last.step >= run.steps
    assert last.source_steps + last.target_steps == last.step + FITTED.get(method, 0)
    assert (last.target_steps > 0) == (method != "source")
    assert (last.source_steps > 0) == (method != "target")
    assert read_results(tmp_path / "run") == [last]
    assert read_config(tmp_path / "run") == run
    assert (tmp_path / "run" / "logs" / "from-0" / "progress.csv").exists()


@pytest.mark.parametrize("method", ["target", "reward-transfer"])
@pytest.mark.parametrize("agent", ["sb3-ppo", "sb3-sac"])
def test_across_robots_a_run_is_evaluated_in_the_target_alone(method: str, agent: str, tmp_path: Path) -> None:
    run = config(method, agent, pair="Walker2d-from-Hopper")
    (last,) = train(run, tmp_path / "run")
    fitted = FITTED.get(method, 0)
    assert (last.source_steps, last.target_steps) == (fitted, last.step)
    assert np.isnan([last.source_return, last.source_spread]).all()
    assert np.isfinite([last.target_return, last.target_spread]).all()
    assert "source," not in str(last)
    (kept,) = read_results(tmp_path / "run")
    assert np.array_equal(list(asdict(kept).values()), list(asdict(last).values()), equal_nan=True)
    _, policy = load_policy(tmp_path / "run")
    returns = evaluate_id(policy, get_pair(run.pair).id("target"), episodes=run.eval_episodes)
    assert returns.mean() == pytest.approx(last.target_return)
    assert train(config(method, agent, pair=run.pair, steps=run.steps + 64), tmp_path / "run")[-1].step > last.step
    plot_learning_curves(runs_by_method([tmp_path / "run"]), tmp_path / "figure.png", title="across robots")
    assert (tmp_path / "figure.png").exists()


@dataclass(kw_only=True, eq=False)
class Seedless(Compensation):
    """Adds nothing, and has no setting."""

    def __call__(self, batch: Transitions) -> np.ndarray:
        return np.zeros(len(batch))


def test_a_compensation_of_ones_own_trains_and_resumes(tmp_path: Path) -> None:
    register_compensation("seedless", Seedless)
    try:
        train(config("seedless"), tmp_path / "run")
        assert train(config("seedless", steps=4096), tmp_path / "run")[-1].step == 4096
    finally:
        METHODS.pop("seedless")
        for env_id in [env_id for env_id in gym.registry if env_id.endswith("-seedless-v0")]:
            del gym.registry[env_id]


@pytest.mark.parametrize("agent", ["sb3-ppo", "sb3-sac"])
def test_a_checkpoint_brings_back_agent_environment_and_learner(agent: str, tmp_path: Path) -> None:
    run = config(agent=agent)
    agents = []
    for _ in range(2):
        env = make_training_env(run)
        agents.append(make_agent(run, env))
    assert not load_checkpoint(agents[0], run, tmp_path)
    agents[0].learn(run.steps)
    save_checkpoint(agents[0], run, tmp_path)
    assert load_checkpoint(agents[1], run, tmp_path)
    first, second = (_agent_tensors(one) for one in agents)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert agents[1].num_timesteps == agents[0].num_timesteps
    steps = [one.env.env_method("steps")[0] for one in agents]
    assert steps[0] == steps[1]
    learners = [one.env.get_attr("compensation")[0].learner.accuracies() for one in agents]
    assert learners[0] == learners[1]
    learners = [
        {name: value for name, value in one.env.get_attr("diagnostics")[0].items() if name.startswith("classifier")}
        for one in agents
    ]
    assert learners[0] == learners[1]
    assert learners[0]["classifier_updates"] > 2
    if agent == "sb3-sac":
        size = agents[0].replay_buffer.size()
        assert agents[1].replay_buffer.size() == size
        assert len(np.unique(agents[0].replay_buffer.domains[:size])) == 2
        for name in ("observations", "rewards", "actions", "domains", "failed", "terminated"):
            assert np.array_equal(*(getattr(one.replay_buffer, name)[:size] for one in agents))
    files = {path.suffix for path in checkpoints(tmp_path)[-1].iterdir()}
    assert files == {".safetensors", ".json"}


def test_a_finished_run_is_left_alone_and_more_steps_go_on_from_it(tmp_path: Path) -> None:
    (first,) = train(config(), tmp_path / "run")
    assert train(config(), tmp_path / "run") == [first]
    both = train(config(steps=4096), tmp_path / "run")
    assert both[0] == first
    assert both[1].step == 4096
    assert both[1].seconds > first.seconds
    assert len(checkpoints(tmp_path / "run")) == 1


@pytest.mark.parametrize(("before", "after"), [(120, 300), (300, 120)])
def test_a_replay_buffer_of_another_size_holds_the_newest_transitions_and_nothing_else(
    before: int, after: int, tmp_path: Path
) -> None:
    runs = [config("source", "sb3-sac", steps=steps) for steps in (before, after)]
    agents = [make_agent(run, make_training_env(run)) for run in runs]
    agents[0].learn(200)
    save_checkpoint(agents[0], runs[0], tmp_path)
    assert load_checkpoint(agents[1], runs[1], tmp_path)
    old, new = (one.replay_buffer for one in agents)
    count = min(200, before, after)
    assert new.size() == count
    assert new.full == (count == after)
    order = (old.pos - count + np.arange(count)) % old.buffer_size
    assert np.array_equal(new.observations[:count], old.observations[order])
    assert np.abs(new.observations[:count]).sum(axis=(1, 2)).min() > 0


@pytest.mark.parametrize("learn_from", ["both", "source"])
def test_sacs_rewards_are_relabelled_unless_they_are_frozen(learn_from: str, tmp_path: Path) -> None:
    run = config(agent="sb3-sac", learn_from=learn_from)
    assert run.relabel
    train(run, tmp_path / "relabelled")
    train(config(agent="sb3-sac", relabel=False), tmp_path / "frozen")
    kept, frozen = (
        load_tensors(checkpoints(tmp_path / name)[-1] / "replay.safetensors")[0] for name in ("relabelled", "frozen")
    )
    assert set(kept["rewards"].unique().tolist()) == {0.0, 1.0}  # a pendulum's own
    assert len(frozen["rewards"].unique()) > 20
    assert set(kept) - set(frozen) == {"domains", "failed", "terminated"}
    assert train(replace(run, steps=160), tmp_path / "relabelled")[-1].step == 160
    assert load_policy(tmp_path / "relabelled")[0].relabel
    assert make_agent(run, make_training_env(run)).replay_buffer.learn_from == learn_from


def test_drae_pays_whole_episodes_where_it_is_told_to(tmp_path: Path) -> None:
    run = config("drae", "sb3-sac", whole_episodes=True)
    train(run, tmp_path / "run")
    paid = load_tensors(checkpoints(tmp_path / "run")[-1] / "replay.safetensors")[0]["relabelled"]
    assert 0 < paid.sum() < len(paid), "the warm-up's episodes are paid step by step"
    assert train(replace(run, steps=200), tmp_path / "run")[-1].step == 200
    again = load_tensors(checkpoints(tmp_path / "run")[-1] / "replay.safetensors")[0]["relabelled"]
    under_way = torch.from_numpy(np.flatnonzero(paid)[-1:] + 1)  # when it was interrupted, and abandoned so
    assert torch.equal(again[:under_way], paid[:under_way])
    assert again[under_way : len(paid)].all()
    assert again.sum() > paid.sum() + len(paid) - under_way
    assert load_policy(tmp_path / "run")[0].whole_episodes
    with pytest.raises(RunDirectoryError, match="whole_episodes: True there, False asked for"):
        train(config("drae", "sb3-sac"), tmp_path / "run")


@pytest.mark.parametrize("wrong", [{"relabel": False}, {"agent": "sb3-ppo"}, {"method": "darc"}, {"method": "mixture"}])
def test_whole_episodes_are_paid_by_drae_for_sac_alone(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`whole_episodes` is for DRaE where it relabels SAC's rewards"):
        config(**{"method": "drae", "agent": "sb3-sac", **wrong}, whole_episodes=True)


def test_relabelling_is_for_sac_and_compensations_alone() -> None:
    for run in (config(), config("mixture", "sb3-sac"), config("source", "sb3-sac")):
        assert not run.relabel
    with pytest.raises(ValueError, match="`learn_from` can be 'source' where rewards are relabelled"):
        config(agent="sb3-ppo", learn_from="source")


def test_runs_of_before_there_was_relabelling_go_on_as_they_were(tmp_path: Path) -> None:
    out, frozen = tmp_path / "run", config(agent="sb3-sac", relabel=False)
    train(frozen, out)
    settings = json.loads((out / "config.json").read_text())
    del settings["relabel"], settings["learn_from"], settings["whole_episodes"]
    (out / "config.json").write_text(json.dumps(settings))
    with pytest.raises(RunDirectoryError, match="relabel: False there, True asked for"):
        train(config(agent="sb3-sac"), out)
    assert train(replace(frozen, steps=160), out)[-1].step == 160
    (out / "config.json").write_text(json.dumps({**settings, "relabel": True}))
    with pytest.raises(RunDirectoryError, match="need domains, failed, terminated of each transition"):
        train(config(agent="sb3-sac", steps=170), out)


def test_a_checkpoint_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    train(config(), tmp_path / "run")
    (checkpoints(tmp_path / "run")[-1] / "compensation.safetensors").unlink()
    with pytest.raises(RunDirectoryError, match="compensation.safetensors missing"):
        train(config(steps=4096), tmp_path / "run")


def test_a_wrong_setting_leaves_the_directory_free_for_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean 'eta'"):
        train(config(settings={"etta": 1.0}), tmp_path / "run")
    train(config(settings={"eta": 1.0}), tmp_path / "run")


def test_results_that_were_lost_are_made_again(tmp_path: Path) -> None:
    (last,) = train(config("source"), tmp_path / "run")
    (tmp_path / "run" / "results.csv").unlink()
    (again,) = train(config("source"), tmp_path / "run")
    assert again.target_return == last.target_return
    (tmp_path / "run" / "results.csv").write_text("step,reward\n1,2\n")
    with pytest.raises(RunDirectoryError, match="is not such a table of results"):
        read_results(tmp_path / "run")


def _train_on(directory: str) -> None:
    train(config(steps=200_000, eval_every=2048), Path(directory), report=lambda steps: None)


def test_a_killed_run_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    process = multiprocessing.get_context("spawn").Process(target=_train_on, args=(str(directory),))
    process.start()
    deadline = time.monotonic() + 300
    while len(read_results(directory)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = read_results(directory)
    assert len(before) >= 2
    kept = int(checkpoints(directory)[-1].name.removeprefix("checkpoint-"))
    after = train(config(steps=kept + 2048, eval_every=2048), directory)
    assert after[-1].step == kept + 2048
    assert [result.step for result in after] == sorted({result.step for result in after})
    assert after[: len(before) - 1] == before[: len(before) - 1]


@pytest.mark.parametrize("method", ["target", "reward-transfer"])
def test_a_run_in_the_target_ends_when_its_budget_is_spent(method: str, tmp_path: Path) -> None:
    run = config(method, steps=4096, target_budget=3000)
    for _ in range(2):
        (last,) = train(run, tmp_path / "run")
        assert last.target_steps == 3000


def test_a_directory_of_another_configuration_is_refused(tmp_path: Path) -> None:
    config().claim(tmp_path / "run")
    with pytest.raises(RunDirectoryError, match=r"has another \(seed: 0 there, 1 asked for\)"):
        config(seed=1).claim(tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(RunDirectoryError, match="A new run needs an empty directory"):
        config().claim(tmp_path / "other")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(RunDirectoryError, match="is not a run's configuration"):
        config().claim(tmp_path / "run")


def test_a_checkpoint_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    train(config(), tmp_path / "run")
    path = checkpoints(tmp_path / "run")[-1] / "agent.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        train(config(steps=4096), tmp_path / "run")
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        load_policy(tmp_path / "run")


@pytest.mark.parametrize("method", ["source", "mixture", "darc", "reward-transfer"])
def test_the_logger_sees_the_environments_own_return_whatever_is_paid(method: str) -> None:
    settings = {**FIT.get(method, {}), **({} if method == "source" else {"time_limit": 25})}
    env = make_vec(get_pair(PAIR).id(method), 2, seed=0, **settings)
    env.reset()
    own, seen = np.zeros(2), 0
    while seen < 20:
        _, paid, over, infos = env.step(np.stack([env.action_space.sample() for _ in range(2)]))
        for lane, info in enumerate(infos):
            own[lane] += info.get("reward/env", paid[lane])
            if over[lane]:
                assert info["episode"]["r"] == pytest.approx(own[lane], rel=1e-5)
                own[lane], seen = 0.0, seen + 1


def test_a_loaded_policy_scores_what_was_recorded(tmp_path: Path) -> None:
    (last,) = train(config(), tmp_path / "run")
    run, policy = load_policy(tmp_path / "run")
    returns = evaluate_id(policy, get_pair(run.pair).id("target"), episodes=run.eval_episodes)
    assert returns.mean() == pytest.approx(last.target_return)


def test_learning_curves_are_of_one_pair_and_agent(tmp_path: Path) -> None:
    for seed in range(2):
        train(config("source", seed=seed), tmp_path / f"{seed}")
    runs = runs_by_method([tmp_path / "0", tmp_path / "1"])
    plot_learning_curves(runs, tmp_path / "figure.png", title="two seeds")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    train(config("source", agent="sb3-sac"), tmp_path / "sac")
    with pytest.raises(RunDirectoryError, match="One figure shows runs of one pair and agent"):
        runs_by_method([tmp_path / "0", tmp_path / "sac"])
    with pytest.raises(RunDirectoryError, match="A run directory holds a config.json"):
        runs_by_method([tmp_path])
    config().claim(tmp_path / "empty")
    with pytest.raises(RunDirectoryError, match="has no results yet"):
        runs_by_method([tmp_path / "empty"])


def test_runs_are_averaged_only_with_their_like(tmp_path: Path) -> None:
    def record(name: str, *steps: int, **changes: object) -> Path:
        config(**changes).claim(tmp_path / name)
        spent = {"source_steps": 1, "target_steps": 1, "target_spread": 0.0, "source_spread": 0.0, "seconds": 0.0}
        results = [Result(step=step, target_return=1.0, source_return=1.0, **spent) for step in steps]
        write_results(tmp_path / name, results)
        return tmp_path / name

    first, second = record("0", 10, 20), record("1", 10, 20, seed=1)
    assert {name: len(seeds) for name, seeds in runs_by_method([first, second, first]).items()} == {"darc": 2}
    sac = [record(f"sac-{relabel}", 10, agent="sb3-sac", relabel=relabel) for relabel in (True, False)]
    assert [re.search(r"relabel=(\w+)", name).group(1) for name in runs_by_method(sac)] == ["True", "False"]
    other = record("other", 10, 20, settings={"eta": 0.5})
    assert len(runs_by_method([first, second, other])) == 2
    with pytest.raises(RunDirectoryError, match="repeats seed 0 of darc"):
        runs_by_method([first, record("again", 10, 20)])
    with pytest.raises(RunDirectoryError, match="was evaluated at other steps"):
        runs_by_method([first, record("sparse", 20, seed=2)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": "Hopper-frction-2.0"}, "Unknown pair 'Hopper-frction-2.0'. Did you mean 'Hopper-friction-2.0'"),
        (
            {"pair": "Walker2d-from-Hopper", "method": "darc"},
            "the source of 'Walker2d-from-Hopper' has another robot, which method 'darc' would act with. Choose 'targ",
        ),
        (
            {"pair": "Walker2d-from-Hopper", "method": "source"},
            "method 'source' would act with. Choose 'target' or 'reward-transfer'",
        ),
        ({"method": "dar"}, "Unknown method 'dar'. Did you mean 'darc'"),
        ({"agent": "sb3-pp"}, "Unknown agent 'sb3-pp'. Did you mean 'sb3-ppo'"),
        ({"steps": 0}, "`steps` must be an integer >= 1"),
        ({"target_budget": 0}, "`target_budget` must be an integer >= 1"),
        ({"method": "source", "target_budget": 10}, "`target_budget` needs a method that acts in the target"),
    ],
)
def test_bad_runs_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig(**{"pair": PAIR, **changes})


def test_a_configuration_is_json(tmp_path: Path) -> None:
    config("darc").claim(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"] == FIT["darc"]
