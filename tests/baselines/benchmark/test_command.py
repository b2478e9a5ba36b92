"""The command as a user types it: it trains, goes on where it was, and loses no run to another's failure."""

import csv
import json
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from filelock import FileLock

from transreward_baselines.benchmark import agents, execute, perform
from transreward_baselines.benchmark.agents import final_returns, keywords_of, read_curve, sb3_config, script_args
from transreward_baselines.benchmark.choose import make_plan
from transreward_baselines.benchmark.command import BenchmarkArgs
from transreward_baselines.benchmark.job import Job, Outcome, read_outcome
from transreward_baselines.benchmark.plan import claim
from transreward_baselines.benchmark.report import report
from transreward_baselines.cli import main
from transreward_baselines.processes import Finished
from transreward_baselines.run_directory import RunDirectoryError
from transreward_envs import PAIRS

PAIR = "InvertedPendulum-gravity-2.0"
SMALL = {"source_steps": 400, "target_steps": 160, "evaluations": 2, "eval_episodes": 2, "final_episodes": 3}
OUTCOME = Outcome(
    pair=PAIR,
    agent="ppo",
    method="mixture",
    settings="",
    seed=0,
    step=2,
    source_steps=1,
    target_steps=1,
    target_return=1.0,
    target_std=0.0,
    source_return=1.0,
    source_std=0.0,
    episodes=3,
    seconds=1.0,
)
WORDS = [word for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def make_jobs(out: Path, **changes: object) -> list[Job]:
    shared = {"pairs": (PAIR,), "methods": ("mixture",), "seeds": (0,), **SMALL}
    plan = make_plan(BenchmarkArgs(**{**shared, **changes}))
    claim(out, plan)
    return list(plan.jobs(out))


def benchmark(capsys: pytest.CaptureFixture[str], out: Path, *words: str, code: int = 0) -> str:
    """Return what the command printed, or, where it is to fail, what it complained of."""
    command = ["benchmark", "--out", str(out), *WORDS, "--workers", "1", *words]
    if not code:
        main(command)
        return capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == code
    return capsys.readouterr().err


def run_here(
    function: Callable[..., Any], jobs: Mapping[str, tuple[Any, ...]], *, workers: int, tell: Callable[[Finished], None]
) -> None:
    """Do jobs as ``run_jobs`` does, but without the seconds that it takes to start a process."""
    for name, job in jobs.items():
        try:
            finished = Finished(name=name, result=function(*job))
        except RuntimeError as error:
            finished = Finished(name=name, error=f"{type(error).__name__}: {error}", traceback="Traceback")
        tell(finished)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(execute, "run_jobs", run_here)
    before, ids = set(PAIRS), set(gym.registry)
    yield
    for name in set(PAIRS) - before:
        del PAIRS[name]
    for env_id in set(gym.registry) - ids:
        del gym.registry[env_id]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_benchmark_trains_in_processes_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--sweep", "mass", "1:1.2:2", "--robots", "InvertedPendulum", "--methods", "target", "--seeds", "0"]
    text = benchmark(capsys, tmp_path, *words, "--agents", "ppo", "sb3-ppo")
    assert "2 runs, 0 of them done; 1 at a time." in text
    assert [(row["agent"], row["severity"]) for row in rows_of(tmp_path / "results.csv")] == [
        ("ppo", "1.2"),
        ("sb3-ppo", "1.2"),
    ]
    assert (tmp_path / "severity-mass.png").exists()
    assert "InvertedPendulum-mass-1.2" not in PAIRS  # it was made for the sweep, in another process
    run = tmp_path / "runs" / "InvertedPendulum-mass-1.2" / "sb3-ppo" / "target" / "seed-0"
    try:
        main(["evaluate", str(run), "--episodes", "1"])
        assert "InvertedPendulum-mass-1.2, target, seed 0: 1 episodes" in capsys.readouterr().out
    finally:
        PAIRS.pop("InvertedPendulum-mass-1.2", None)


@pytest.mark.usefixtures("in_this_process")
def test_a_benchmark_goes_on_and_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--pairs", PAIR, "--methods", "target", "darc:warmup=100,fit_budget=2"]
    text = benchmark(capsys, tmp_path, *words, "--seeds", "0", "--agents", "ppo", "sb3-ppo")
    assert "4 runs, 0 of them done; 1 at a time." in text
    assert "InvertedPendulum-gravity-2.0, sb3-ppo: return in the target" in text
    first = rows_of(tmp_path / "results.csv")
    assert [(row["agent"], row["method"]) for row in first] == [
        (agent, method) for agent in ("ppo", "sb3-ppo") for method in ("target", "darc")
    ]
    for row in first:
        assert 100 < int(row["target_steps"]) <= 160
        assert int(row["source_steps"]) + int(row["target_steps"]) == int(row["step"])
        assert (int(row["source_steps"]) >= 400) == (row["method"] == "darc")
        assert row["episodes"] == "3"
    text = benchmark(capsys, tmp_path, *words, "--seeds", "0", "1", "--agents", "ppo")
    assert "4 runs, 2 of them done; 1 at a time." in text
    rows = rows_of(tmp_path / "results.csv")
    assert [row for row in rows if row["seed"] == "0"] == first
    assert len(rows) == 6
    message = benchmark(capsys, tmp_path, *words, "--final-episodes", "9", code=2)
    assert "has others (final_episodes: 3 there, 9 asked for)" in message


@pytest.mark.usefixtures("in_this_process")
def test_published_tables_alone_are_gone_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--pairs", PAIR, "--seeds", "0", "--methods", "target", "darc:warmup=100,fit_budget=2"]
    benchmark(capsys, tmp_path / "first", *words)
    (tmp_path / "copy").mkdir()
    for name in ("benchmark.json", "results.csv", "curves.csv"):
        shutil.copy(tmp_path / "first" / name, tmp_path / "copy")
    text = benchmark(capsys, tmp_path / "copy", *words, "mixture")
    assert "3 runs, 2 of them done; 1 at a time." in text
    for name in ("results.csv", "curves.csv"):
        ours, theirs = (rows_of(tmp_path / folder / name) for folder in ("copy", "first"))
        assert [row for row in ours if row["method"] != "mixture"] == theirs
        assert any(row["method"] == "mixture" for row in ours)
    outcome = next((tmp_path / "first" / "runs").rglob("outcome.json"))
    outcome.unlink()  # as the error about a damaged one says, to have it made again
    assert "2 runs, 1 of them done; 1 at a time." in benchmark(capsys, tmp_path / "first", *words)
    assert outcome.exists()
    (tmp_path / "copy" / "results.csv").write_text("pair,agent\na,b\n")
    with pytest.raises(RunDirectoryError, match=r"results\.csv is not such a table of results"):
        report(tmp_path / "copy")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("in_this_process")
def test_a_benchmark_that_is_stopped_tells_what_is_over(
    by: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(jobs: list[Job], **_: object) -> int:
        perform.perform(jobs[0], False)
        signal.raise_signal(by)
        raise AssertionError("it went on")

    monkeypatch.setattr(execute, "train_all", interrupted)
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        with pytest.raises(SystemExit, match="130"):
            main(["benchmark", "--out", str(tmp_path), *WORDS, "--pairs", PAIR, "--methods", "target", "mixture"])
        assert {number: signal.getsignal(number) for number in handlers} == handlers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert [row["method"] for row in rows_of(tmp_path / "results.csv")] == ["target"]


@pytest.mark.usefixtures("in_this_process")
def test_a_run_that_fails_loses_no_other_and_is_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = {"sweep": ("mass", "1.1:1.2:2"), "robots": ("InvertedPendulum",)}
    spoilt, other = make_jobs(tmp_path, pairs=(), methods=("target",), **sweep)
    spoilt.directory.mkdir(parents=True)
    (spoilt.directory / "thesis.tex").touch()
    words = ["--sweep", "mass", "1.1:1.2:2", "--robots", "InvertedPendulum", "--methods", "target", "--seeds", "0"]
    message = benchmark(capsys, tmp_path, *words, code=2)
    assert f"1 of 2 runs failed; {tmp_path / 'failures.txt'} says why. Run the same command again" in message
    text = (tmp_path / "failures.txt").read_text()
    assert text.startswith(f"{spoilt.name}: RunDirectoryError: A new run needs an empty directory")
    assert "Traceback" in text
    assert [row["pair"] for row in rows_of(tmp_path / "results.csv")] == [other.pair.name]
    (spoilt.directory / "thesis.tex").unlink()
    assert "2 runs, 1 of them done" in benchmark(capsys, tmp_path, *words)
    assert not (tmp_path / "failures.txt").exists()
    assert [row["severity"] for row in rows_of(tmp_path / "results.csv")] == ["1.1", "1.2"]


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = make_jobs(tmp_path)
    trained: list[Job] = []
    monkeypatch.setattr(perform, "train", trained.append)
    job.directory.parent.mkdir(parents=True)
    with FileLock(job.directory.with_suffix(".lock")):
        assert not perform.perform(job, False)
    assert not trained
    monkeypatch.setattr(perform, "evaluate", lambda job: pytest.fail("It is not over."))
    with pytest.raises(pytest.fail.Exception):
        perform.perform(job, True)
    assert trained == [job]
    job.directory.mkdir(exist_ok=True)
    job.outcome.touch()
    assert perform.perform(job, False)
    assert trained == [job]  # what is over is left alone


def test_what_another_command_left_undone_is_trained_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    busy, free = make_jobs(tmp_path, seeds=(0, 1))
    order: list[int] = []
    monkeypatch.setattr(perform, "train", lambda job: order.append(job.seed))
    monkeypatch.setattr(perform, "evaluate", lambda job: OUTCOME)
    busy.directory.parent.mkdir(parents=True)
    lock = FileLock(busy.directory.with_suffix(".lock"))

    def then_give_up(*given: Any, **keywords: Any) -> None:
        run_here(*given, **keywords)
        lock.release()

    monkeypatch.setattr(execute, "run_jobs", then_give_up)
    with lock:
        assert execute.train_all([busy, free], workers=1, failures=tmp_path / "failures.txt") == 0
    assert order == [1, 0]
    assert busy.outcome.exists()


@pytest.mark.parametrize("agent", ["ppo", "dreamer", "sb3-ppo"])
def test_the_last_policy_counts_over_more_episodes(agent: str, tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, agents=(agent,))
    assert perform.perform(job, True)
    outcome, curve = read_outcome(job.outcome), read_curve(job.directory, agent)
    assert (outcome.step, outcome.target_steps) == (curve[-1].step, curve[-1].target_steps)
    for role, mean in (("target", outcome.target_return), ("source", outcome.source_return)):
        returns = final_returns(job)[role]
        assert len(returns) == outcome.episodes == 3
        assert returns.mean() == pytest.approx(mean)
    assert json.loads(job.outcome.read_text())["versions"]["numpy"] == np.__version__


def test_what_the_last_policy_returns_is_what_its_script_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = make_jobs(tmp_path, methods=("source",), source_steps=4_096, evaluations=2, eval_episodes=3)
    assert perform.perform(job, True)
    monkeypatch.setattr(agents, "FINAL_SEED", 1_000_000)  # the episodes on the way
    first, last = read_curve(job.directory, "ppo")
    assert first.target_return != last.target_return
    assert final_returns(job)["target"].mean() == pytest.approx(last.target_return)
    assert final_returns(job)["source"].mean() == pytest.approx(last.source_return)
    assert last.target_return != last.source_return


@pytest.mark.parametrize("agent", ["ppo", "sb3-ppo"])
def test_across_robots_a_policy_is_evaluated_in_the_target_alone(agent: str, tmp_path: Path) -> None:
    methods = ("target", "reward-transfer:fit_budget=60,fit_updates=2,hidden=8")
    for job in make_jobs(tmp_path, pairs=("Walker2d-from-Hopper",), methods=methods, agents=(agent,)):
        assert perform.perform(job, True)
        outcome = read_outcome(job.outcome)
        fitted = 60 if job.contender.method == "reward-transfer" else 0
        assert (outcome.source_steps, outcome.target_steps) == (fitted, outcome.step)
        assert outcome.source_return is None
    report(tmp_path)
    assert [row["source_return"] for row in rows_of(tmp_path / "results.csv")] == ["", ""]
    assert {row["source_return"] for row in rows_of(tmp_path / "curves.csv")} == {""}


def test_scripts_have_the_settings_that_were_found_for_the_robot(tmp_path: Path) -> None:
    methods = ("mixture:start_in=target", "target-10x", "source")
    mixture, more, source = map(script_args, make_jobs(tmp_path, pairs=("HalfCheetah-mass-2.0",), methods=methods))
    assert (mixture.num_envs, mixture.hidden, mixture.activation) == (16, 128, "relu")
    assert mixture.keywords() == {"target_ratio": 160 / 560, "start_in": "target", "target_budget": 160}
    assert (mixture.total_steps, mixture.eval_every) == (560, 280)
    assert (more.env_id, more.total_steps) == ("TransReward/HalfCheetah-mass-2.0-target-v0", 1_600)
    assert more.keywords() == {"target_budget": 1_600}
    assert (source.env_id, source.total_steps) == ("TransReward/HalfCheetah-mass-2.0-source-v0", 400)
    assert source.keywords() == {}
    assert {args.threads for args in (mixture, more, source)} == {1}


@pytest.mark.parametrize("agent", ["ppo", "sac", "sb3-ppo", "sb3-sac"])
def test_a_compensation_discounts_as_its_agent_does_unless_it_is_told_otherwise(agent: str, tmp_path: Path) -> None:
    methods = ("reward-transfer:estimator=potential,fit_budget=60", "drae", "drae:gamma=0.5", "darc")
    shaped, drae, told, darc = make_jobs(tmp_path, pairs=("HalfCheetah-mass-2.0",), methods=methods, agents=(agent,))
    gamma = 0.98 if agent.endswith("ppo") else 0.99
    if not agent.startswith("sb3"):
        assert script_args(shaped).gamma == gamma
    assert [keywords_of(job).get("gamma") for job in (shaped, drae, told, darc)] == [gamma, gamma, 0.5, None]


def test_agents_of_stable_baselines_have_the_same_terms(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, methods=("darc:eta=0.1", "target-10x", "source"), agents=("sb3-ppo", "sb3-sac"))
    darc, more, source = map(sb3_config, jobs[:3])
    assert (darc.method, darc.steps, darc.target_budget, darc.n_envs) == ("darc", 560, 160, 8)
    assert darc.settings == {"threads": 1, "target_ratio": 160 / 560, "eta": 0.1}
    assert (more.method, more.steps, more.target_budget) == ("target", 1_600, 1_600)
    assert (source.method, source.steps, source.target_budget) == ("source", 400, None)
    assert sb3_config(jobs[3]).n_envs == 1
