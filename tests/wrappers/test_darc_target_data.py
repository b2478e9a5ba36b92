"""DARC with a recorded target: the agent acts in the source alone, and is paid for what the target would do."""

import dataclasses
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import transreward_envs  # noqa: F401
from transreward_baselines.benchmark.contenders import Contender
from transreward_baselines.benchmark.terms import Terms
from transreward_baselines.data import BuildArgs, build
from transreward_envs import get_pair
from transreward_wrappers.darc import DARC
from transreward_wrappers.darc.classified import features_of
from transreward_wrappers.datasets import load_dataset

PAIR = "InvertedPendulum-gravity-2.0"
SMALL = {"warmup": 200, "fit_budget": 30, "hidden": 16, "batch_size": 64, "target_ratio": 0.0}


@pytest.fixture(autouse=True)
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "cache"))
    named = {role: BuildArgs(pair=PAIR, domain=role, quality="random", size=1_000) for role in ("source", "target")}
    for args in named.values():
        build(args)
    return {role: args.id for role, args in named.items()}


def acted(steps: int, **settings: object) -> tuple[gym.Env, list[float], set[int]]:
    env = gym.make(f"TransReward/{PAIR}-darc-v0", **{**SMALL, **settings})
    env.reset(seed=0)
    env.action_space.seed(0)
    paid, domains = [], set()
    for _ in range(steps):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        paid.append(info["reward/compensation"])
        domains.add(info["domain"])
        if terminated or truncated:
            env.reset()
    return env, paid, domains


def test_the_agent_is_paid_in_the_source_by_what_was_recorded_of_the_target(
    sets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        env, paid, domains = acted(600, target_data=sets["target"])
        assert domains == {0}
        assert env.get_wrapper_attr("steps")() == {"source": 600, "target": 0}
        assert env.get_wrapper_attr("diagnostics")["classifier_updates"] >= 30
        env.close()
        assert not any(paid[:150])
        assert np.abs(paid[300:]).min() > 0.0
        monkeypatch.setattr(DARC, "fit", lambda *_: pytest.fail("fitted again"))  # the second time is from the cache


def test_without_a_record_nothing_is_known_of_a_target_that_is_never_entered() -> None:
    env, paid, _ = acted(600)
    env.close()
    assert not any(paid)


def test_a_record_of_another_domain_is_refused(sets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"A dataset of the target must be of its domain; .* as `target_data`"):
        acted(1, target_data=sets["source"])
    with pytest.raises(FileNotFoundError, match="There is no dataset in"):
        acted(1, target_data="nobody")


def test_processes_that_share_have_no_record(sets: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Leave out `target_data`, or `shared_state`"):
        acted(1, target_data=sets["target"], shared_state=str(tmp_path / "shared"))


def test_a_benchmark_counts_the_record_as_target_steps_and_acts_in_the_source_alone(sets: dict[str, str]) -> None:
    terms = Terms(source_steps=5_000, target_steps=2_000, evaluations=1, eval_episodes=1, final_episodes=1)
    contender = Contender.parse(f"darc:target_data={sets['target']},target_ratio=0.0")
    budget = contender.budget(terms, get_pair(PAIR))
    assert (budget.steps, budget.target_budget) == (5_000, 1_000)
    assert budget.settings["target_ratio"] == 0.0
    exactly = dataclasses.replace(terms, target_steps=1_000)
    assert contender.budget(exactly, get_pair(PAIR)).steps == 5_000
    few = dataclasses.replace(terms, target_steps=999)
    with pytest.raises(ValueError, match="takes 0 in the source and 1000 in the target, of 5000 and 999"):
        contender.budget(few, get_pair(PAIR))
    mixed = Contender.parse(f"darc:target_data={sets['target']}")
    with pytest.raises(ValueError, match="takes 0 in the source and 1000 in the target, of 5000 and 1000"):
        mixed.budget(exactly, get_pair(PAIR))


def test_of_a_long_record_that_is_ordered_all_parts_are_known(sets: dict[str, str]) -> None:
    env, *_ = acted(1, target_data=sets["target"], capacity=90)
    known = env.get_wrapper_attr("compensation").learner.memory.tensors()["learned-target"].numpy()
    env.close()
    record = features_of(load_dataset(sets["target"]).transitions().as_transitions(1)).astype(known.dtype)
    places = [int(np.flatnonzero((record == row).all(axis=1))[0]) for row in known]
    assert (len(places), places[0], places[-1]) == (90, 0, 999)
    assert max(np.diff(places)) < 15
