"""Iterative refinement: what the source answers, rounds, when they end, and refinements that are killed and resumed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from tests.wrappers.test_policies import policy
from transreward_baselines.cli import main
from transreward_baselines.refine import loop
from transreward_baselines.refine import visits as visits_module
from transreward_baselines.refine.args import RefineArgs
from transreward_baselines.refine.convergence import Round, stands_still, why_stop
from transreward_baselines.refine.loop import refine
from transreward_baselines.refine.told import compensation, ppo_args
from transreward_baselines.refine.visits import Visits, joined, put_state, visit
from transreward_baselines.results import read_rows
from transreward_baselines.run import newest_agent
from transreward_baselines.run_directory import RunDirectoryError
from transreward_envs import Pair, get_pair
from transreward_wrappers.policies import GaussianPolicy

FIT = ("fit_budget=200", "fit_updates=5", "value_updates=5", "hidden=8", "horizon=20", "lam=1.0")
PPO = ("num_envs=4", "num_steps=16", "hidden=8", "epochs=1")


def small(out: Path, **changes: object) -> RefineArgs:
    settings = {
        "pair": "Hopper-mass-2.0",
        "steps": 200,
        "collect": 50,
        "rounds": 2,
        "tolerance": 0.0,
        "eval_episodes": 2,
        "threads": 1,
        "quiet": True,
        "set": FIT,
        "ppo": PPO,
    }
    return RefineArgs(**{**settings, "out": out / "refined", **changes})


def hopper_policy(seed: int = 0, observations: int = 11) -> GaussianPolicy:
    return policy(seed, observations=observations, actions=3)


def test_the_source_answers_as_the_target_does_where_both_have_the_same_dynamics() -> None:
    visits = visit(get_pair("Hopper-backward"), hopper_policy(), steps=120, seed=3, quiet=True)
    np.testing.assert_allclose(visits.source.next_observation, visits.target.next_observation, atol=1e-6)
    np.testing.assert_array_equal(visits.source.observation, visits.target.observation)
    np.testing.assert_array_equal(visits.source.action, visits.target.action)
    np.testing.assert_array_equal(visits.source.terminated, visits.target.terminated)
    assert visits.target.terminated.sum() >= 2
    moved = visits.source.reward - visits.target.reward  # twice the forward term
    assert np.abs(moved).max() > 0.1


@pytest.mark.parametrize("robot", ["Hopper", "Ant", "Humanoid", "Pusher"])
def test_a_simulation_that_is_put_into_anothers_state_goes_on_as_that_one_does(robot: str) -> None:
    one, other = (gym.make(f"TransReward/{robot}-v0", disable_env_checker=True).unwrapped for _ in range(2))
    for seed, env in enumerate((one, other)):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        for _ in range(20):
            env.step(env.action_space.sample())
    put_state(other, one)
    action = one.action_space.sample()
    first, second = one.step(action), other.step(action)
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == pytest.approx(second[1], abs=0.0 if robot in ("Hopper", "Pusher") else 0.06)
    assert first[2] == second[2]


def test_the_source_is_put_into_the_targets_state_before_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(visits_module, "put_state", lambda into, other: calls.append((into, other)))
    visit(get_pair("Hopper-mass-2.0"), hopper_policy(), steps=7, seed=3, quiet=True)
    assert len(calls) == 7
    source, target = calls[0]
    assert (len(source.shifts), len(target.shifts)) == (0, 1)


@pytest.mark.parametrize("name", ["HalfCheetah-backward", "Ant-backward", "Swimmer-mass-2.0", "Reacher-damping-2.0"])
def test_the_source_answers_from_the_targets_state_on_other_robots(name: str) -> None:
    pair = get_pair(name)
    space, actions = pair.make("target").observation_space, pair.make("target").action_space
    acting = policy(observations=space.shape[0], actions=actions.shape[0])
    visits = visit(pair, acting, steps=40, seed=1, quiet=True)
    change = np.abs(visits.source.next_observation - visits.target.next_observation).max(axis=1)
    if name.endswith("backward"):
        assert change.max() < 1e-4
    else:
        assert 0.0 < np.median(change) < np.abs(np.diff(visits.target.observation, axis=0)).max()


def test_what_follows_a_failure_of_the_physics_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, put = [], visits_module.put_state

    def fail(into: object, other: object) -> None:
        put(into, other)
        calls.append(1)
        if len(calls) == 5:
            other.data.qvel[0] = np.nan

    monkeypatch.setattr(visits_module, "put_state", fail)
    visits = visit(get_pair("Hopper-mass-2.0"), hopper_policy(), steps=12, seed=0, quiet=True)
    assert (len(calls), len(visits.target), len(visits.source)) == (12, 11, 11)


def test_actions_under_way_are_the_same_in_both_domains() -> None:
    delayed = get_pair("Hopper-delay-1")
    both = Pair(
        robot="Hopper",
        name="Hopper-delayed-backward",
        source=delayed.target,
        target=(*get_pair("Hopper-backward").target, *delayed.target),
        observe_actions=delayed.observe_actions,
    )
    size = both.make("target").observation_space.shape[0]
    visits = visit(both, hopper_policy(observations=size), steps=80, seed=2, quiet=True)
    np.testing.assert_allclose(visits.source.next_observation, visits.target.next_observation, atol=1e-6)


def test_visits_are_read_back_as_they_were_written_and_joined_in_order(tmp_path: Path) -> None:
    visits = visit(get_pair("Hopper-mass-2.0"), hopper_policy(), steps=10, seed=0, quiet=True)
    visits.save(tmp_path / "visits.safetensors")
    read = Visits.load(tmp_path / "visits.safetensors")
    for role in ("source", "target"):
        for name in ("observation", "action", "reward", "next_observation", "terminated", "domain"):
            np.testing.assert_array_equal(getattr(getattr(read, role), name), getattr(getattr(visits, role), name))
    both = joined(visits.source, visits.target)
    np.testing.assert_array_equal(both.domain, np.repeat([0, 1], 10))
    assert not np.array_equal(visits.source.reward, visits.target.reward)


def test_a_refinement_trains_visits_fits_and_measures_round_by_round(tmp_path: Path) -> None:
    args = small(tmp_path)
    rounds, reason = refine(args)
    assert reason == "all rounds are done"
    assert [(one.round, one.target_steps, one.source_steps) for one in rounds] == [(0, 250, 250), (1, 500, 300)]
    assert all(0.0 < one.gap < 100.0 and 0.0 <= one.coverage <= 1.0 and one.weight == 1.0 for one in rounds)
    assert read_rows(args.out, Round) == rounds
    assert (args.out / "rounds.png").read_bytes().startswith(b"\x89PNG")
    kept = GaussianPolicy.load(args.out / "policy.safetensors")
    (last,) = (args.round_directory(1) / "ppo" / "policies").glob("*.safetensors")
    assert kept.digest() == GaussianPolicy.load(last).digest()


def test_the_gap_is_between_what_was_paid_and_the_reward_as_it_is_fitted_then(tmp_path: Path) -> None:
    args = small(tmp_path, rounds=1, set=(*FIT, "lam=0.3"))
    ((one,), _) = refine(args)
    target = Visits.load(args.round_directory(0) / "visits.safetensors").target
    before = compensation(args, args.round_directory(0) / "compensation.safetensors")
    after = compensation(args, args.round_directory(1) / "compensation.safetensors")
    paid = 0.7 * target.reward + 0.3 * before.source_reward(target)
    assert one.gap == pytest.approx(np.mean((after.source_reward(target) - paid) ** 2))
    assert one.weight == pytest.approx(0.3)


def test_the_fit_comes_nearer_to_what_the_source_pays_where_the_policy_is(tmp_path: Path) -> None:
    args = small(tmp_path, rounds=1, collect=2_000, set=("fit_budget=300", "fit_updates=400", "hidden=32", "horizon=5"))
    refine(args)
    source = Visits.load(args.round_directory(0) / "visits.safetensors").source
    errors = []
    for index in range(2):
        fit = compensation(args, args.round_directory(index) / "compensation.safetensors")
        errors.append(np.square(fit.source_reward(source) - source.reward).mean())
    assert errors[1] < 0.5 * errors[0]


def test_variance_and_the_count_of_steps_are_carried_from_round_to_round(tmp_path: Path) -> None:
    args = small(tmp_path, rounds=2, set=(*FIT, "lam_mode=variance"))
    rounds, _ = refine(args)
    fits = [compensation(args, args.round_directory(index) / "compensation.safetensors") for index in range(3)]
    assert [fit._tally.steps for fit in fits] == [0, 200, 400]
    for index in range(2):
        target = Visits.load(args.round_directory(index) / "visits.safetensors").target
        assert fits[index + 1]._tally.deviation == pytest.approx(target.reward.std())
    share = fits[1]._figures.deviation / (fits[1]._figures.deviation + fits[1]._tally.deviation)
    assert rounds[0].weight == 1.0
    assert rounds[1].weight == pytest.approx(share)


def test_what_ppo_is_told_depends_on_what_it_starts_from(tmp_path: Path) -> None:
    args = small(tmp_path)
    anew = ppo_args(args, 0, fitted=Path("a"), start_from=None)
    from_run = ppo_args(args, 1, fitted=Path("b"), start_from=tmp_path)
    from_policy = ppo_args(args, 0, fitted=Path("b"), start_from=Path("policy.safetensors"))
    assert [one.start_from for one in (anew, from_run, from_policy)] == [None, tmp_path, Path("policy.safetensors")]
    assert [one.value_steps for one in (anew, from_run, from_policy)] == [0, 0, 10]
    assert (from_run.log_std, from_policy.log_std) == (anew.log_std, -20.0)
    assert from_run.seed != anew.seed
    assert f'fitted="{Path("b").resolve()}"' in from_run.settings
    assert "target_budget=200" in from_run.settings


@pytest.mark.parametrize(
    ("ppo", "sets", "gamma"), [((), (), 0.98), (("gamma=0.9",), (), 0.9), ((), ("gamma=0.5",), 0.5)]
)
def test_what_is_fitted_has_the_discount_that_is_paid_with(
    ppo: tuple[str, ...], sets: tuple[str, ...], gamma: float, tmp_path: Path
) -> None:
    args = small(tmp_path, pair="HalfCheetah-mass-2.0", ppo=ppo, set=("estimator=optimal", *sets))
    paid_with = ppo_args(args, 0, fitted=tmp_path / "fit", start_from=None).keywords()
    assert compensation(args).gamma == paid_with["gamma"] == gamma


def test_the_agent_of_a_round_goes_on_in_the_next(tmp_path: Path) -> None:
    args = small(tmp_path)
    refine(args)
    before, after = (newest_agent(args.round_directory(index) / "ppo")["agent"] for index in range(2))
    assert float(after["observations.count"]) == 2 * float(before["observations.count"])
    for name in ("policy.0.weight", "value.0.weight"):
        assert 0.0 < float((after[name] - before[name]).abs().max()) < 0.2
    steps = [float(tensors["optimizer.0.step"]) for tensors in (before, after)]
    assert steps[1] == 2 * steps[0]


def test_a_refinement_starts_from_a_policy(tmp_path: Path) -> None:
    path, given = tmp_path / "policy.safetensors", hopper_policy(0)
    weights = (given.weights[0], np.eye(8, dtype=np.float32), given.weights[1])
    biases = (given.biases[0], np.zeros(8, np.float32), given.biases[1])
    replace(given, weights=weights, biases=biases).save(path)
    args = small(tmp_path, rounds=1, start_from=path)
    refine(args)
    learnt = newest_agent(args.round_directory(0) / "ppo")["agent"]["policy.0.weight"].numpy()
    assert 0.0 < np.abs(learnt - GaussianPolicy.load(path).weights[0]).max() < 0.1


def test_a_run_without_a_checkpoint_has_no_agent_to_go_on_from(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="An agent is taken over from a run's checkpoint; .* has none"):
        newest_agent(tmp_path)


class Killed(BaseException):
    """Stands for the end of the process."""


STAGES = ["ppo.main", "visit", "RewardTransfer.begin_round", "write_bytes", "write_rows"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_refinement_that_is_stopped_after_any_stage_ends_as_one_that_was_not(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = refine(small(tmp_path / "whole"))
    args, calls = small(tmp_path / "parts"), []
    owner, name = (getattr(loop, stage.split(".")[0]), stage.split(".")[1]) if "." in stage else (loop, stage)
    plain = getattr(owner, name)

    def stopped(*words: object, **more: object) -> object:
        result = plain(*words, **more)
        calls.append(stage)
        if len(calls) == 1:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, stopped)
    with pytest.raises(Killed):
        refine(args)
    rounds, _ = refine(args)
    assert [replace(one, seconds=0.0) for one in rounds] == [replace(one, seconds=0.0) for one in whole]


def endless(out: Path) -> None:
    refine(small(out, rounds=10**6))


def test_a_killed_refinement_goes_on(tmp_path: Path) -> None:
    args = small(tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=endless, args=(tmp_path,))
    process.start()
    try:
        deadline = time.monotonic() + 300
        while not (args.round_directory(1) / "ppo" / "config.json").exists():
            assert time.monotonic() < deadline, "it has not come to the second round"
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    done = len(read_rows(args.out, Round))
    rounds, _ = refine(replace(args, rounds=done + 1))
    assert [one.round for one in rounds] == list(range(done + 1))
    assert rounds[-1].target_steps == 250 * (done + 1)
    assert refine(replace(args, rounds=done + 1))[0] == rounds


def test_a_directory_of_another_refinement_is_refused(tmp_path: Path) -> None:
    args = small(tmp_path, rounds=1)
    refine(args)
    with pytest.raises(RunDirectoryError, match=r"has another \(collect: 50 there, 60 asked for\)"):
        refine(replace(args, collect=60))


def a_round(gap: float = 1.0, returned: float = 1.0, steps: int = 0) -> Round:
    rest = dict.fromkeys(("weight", "spread", "coverage", "unexplained", "return_std", "seconds"), 0.0)
    return Round(round=0, target_steps=steps, source_steps=0, gap=gap, return_mean=returned, **rest)


def test_a_refinement_stops_where_gap_or_return_stand_still_or_budget_or_rounds_are_over(tmp_path: Path) -> None:
    args = small(tmp_path, tolerance=0.1, patience=2, rounds=4, target_budget=1_000)
    moving = [a_round(gap=2.0**-index, returned=10.0 * index) for index in range(3)]
    assert why_stop(args, []) is None
    assert why_stop(args, moving) is None
    assert why_stop(args, [replace(one, gap=1.0) for one in moving]) == "the gap stands still"
    assert why_stop(args, [replace(one, return_mean=-7.0) for one in moving]) == "the return stands still"
    assert why_stop(args, [*moving, a_round(gap=9.0, returned=90.0)]) == "all rounds are done"
    assert why_stop(args, [*moving[:2], a_round(gap=9.0, returned=90.0, steps=750)]) is None
    message = "the target budget does not suffice for a further round"
    assert why_stop(args, [*moving[:2], a_round(gap=9.0, returned=90.0, steps=751)]) == message


@pytest.mark.parametrize(
    ("values", "still"),
    [
        ([], False),
        ([5.0], False),
        ([5.0, 5.0], False),
        ([5.0, 5.0, 5.0], True),
        ([9.0, 5.0, 5.0, 5.0], True),
        ([5.0, 5.0, 5.6], False),
        ([5.0, 5.5, 5.0], True),
        ([-10.0, -10.9, -10.0], True),
        ([0.0, 0.0, 0.0], True),
        ([1.0, -1.0, 1.0], False),
    ],
)
def test_a_value_stands_still_where_its_last_changes_are_small_shares_of_it(values: list[float], still: bool) -> None:
    assert stands_still(values, small(Path(), tolerance=0.1, patience=2)) is still


def test_a_budget_is_never_overspent(tmp_path: Path) -> None:
    rounds, reason = refine(small(tmp_path, rounds=9, target_budget=499))
    assert [one.target_steps for one in rounds] == [250]
    assert reason == "the target budget does not suffice for a further round"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": "Hopper-mass-3"}, "Unknown pair 'Hopper-mass-3'"),
        ({"pair": "Walker2d-from-Hopper"}, "both need the same robot.*has Hopper and Walker2d"),
        ({"pair": "WalkerWalk-repeat-4to2"}, "one without an extra"),
        ({"steps": 0}, "`steps` must be an integer >= 1"),
        ({"tolerance": -1.0}, "`tolerance` must be finite and >= 0"),
        ({"target_budget": 0}, "`target_budget` must be an integer >= 1"),
        ({"start_from": Path("nowhere")}, "`start_from` is the file of a policy or .* there is no nowhere"),
        ({"set": ("fitted=a",)}, "but for 'fitted', which is the command's own"),
        ({"set": ("target_budget=9",)}, "but for 'target_budget', which is the command's own"),
        ({"set": ("lam",)}, "A setting has the form name=value"),
        (
            {"set": ("estimator=policy",)},
            "needs an estimator of the source's reward, 'reward' or 'optimal'; got 'policy'",
        ),
        ({"set": ("lambda=1",)}, "Unknown setting of RewardTransfer 'lambda'"),
        ({"ppo": ("gama=0.9",)}, "Unknown setting of PPO 'gama'. Did you mean 'gamma'"),
        ({"ppo": ("seed=3",)}, "Unknown setting of PPO 'seed'"),
    ],
)
def test_what_cannot_be_refined_is_refused_before_anything_is_written(
    changes: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        refine(small(tmp_path, **changes))
    assert not (tmp_path / "refined").exists()


def test_the_command_refines_and_its_fit_serves_any_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "refined"
    words = ["--pair", "Hopper-mass-2.0", "--out", str(out), "--steps", "64", "--collect", "30", "--rounds", "1"]
    main(["refine", *words, "--eval-episodes", "1", "--threads", "1", "--set", *FIT, "--ppo", *PPO])
    printed = capsys.readouterr().out
    assert "round 0: gap" in printed
    assert "in the target; stopped because all rounds are done. Everything is in" in printed
    settings = {"fitted": str(out / "compensation.safetensors"), "hidden": 8}
    env = gym.make("TransReward/Hopper-mass-2.0-reward-transfer-v0", **settings)
    env.reset(seed=0)
    assert np.isfinite(env.step(env.action_space.sample())[1])
    assert env.get_wrapper_attr("compensation").fit_steps() == {"source": 230}
    wrong = "TransReward/Ant-mass-2.0-reward-transfer-v0"
    with pytest.raises(ValueError, match="`fitted` must be the file of a fit .* of 105 and actions of 8 numbers"):
        gym.make(wrong, **settings)
    with pytest.raises(ValueError, match="`fitted` must be .* got .*nothing"):
        gym.make("TransReward/Hopper-mass-2.0-reward-transfer-v0", fitted=str(out / "nothing"))


def test_what_a_refinement_leaves_has_counted_no_steps(tmp_path: Path) -> None:
    args = small(tmp_path / "run", rounds=1, set=(*FIT, "lam_mode=annealed", "anneal_steps=150"))
    refine(args)
    left, next_round = (
        compensation(args, path / "compensation.safetensors") for path in (args.out, args.round_directory(1))
    )
    assert (left._tally.steps, next_round._tally.steps) == (0, 200)
    batch = Visits.load(args.round_directory(0) / "visits.safetensors").target
    assert np.abs(left(batch)).max() > 0.0
    assert np.array_equal(next_round(batch), np.zeros(len(batch)))


def test_a_refinement_whose_directory_is_renamed_goes_on_within_a_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = small(tmp_path / "here", rounds=2)
    plain, calls = loop.visit, []

    def stopped(*words: object, **more: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return plain(*words, **more)

    monkeypatch.setattr(loop, "visit", stopped)
    with pytest.raises(Killed):
        refine(args)
    monkeypatch.undo()
    args.out.rename(tmp_path / "there")
    rounds, _ = refine(replace(args, out=tmp_path / "there"))
    assert len(rounds) == 2
