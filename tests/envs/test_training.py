"""Schedules, budgets and ledgers."""

import copy
import gc
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from hypothesis import given, settings
from hypothesis import strategies as st

from transreward_envs.errors import BudgetSpentError
from transreward_envs.training import TargetBudget, join_environments, shared_ledger
from transreward_envs.training.ledger import LocalLedger, SharedLedger, open_ledger

MIXTURE = "TransReward/HalfCheetah-broken-bthigh-mixture-v0"


def run(env: gym.Env, steps: int, *, seed: int = 0) -> list[dict]:
    """Step at random, and return the infos."""
    env.action_space.seed(seed)
    env.reset(seed=seed)
    infos = []
    for _ in range(steps):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        infos.append(info)
        if terminated or truncated:
            env.reset()
    return infos


@given(budget=st.integers(1, 40), ratio=st.floats(0.05, 1.0), limit=st.integers(1, 15))
def test_the_target_gets_its_ratio_and_never_more_than_its_budget(budget: int, ratio: float, limit: int) -> None:
    env = gym.make(MIXTURE, target_budget=budget, target_ratio=ratio, time_limit=limit, disable_env_checker=True)
    domains = [info["domain"] for info in run(env, 150)]
    spent = env.get_wrapper_attr("steps")()
    assert spent == {"source": domains.count(0), "target": domains.count(1)}
    assert spent["target"] <= budget
    assert spent["target"] >= min(budget, int(ratio * 150)) - limit
    assert spent["target"] <= ratio * 150 + limit


def test_the_first_episode_is_a_source_one_and_a_ratio_of_zero_never_leaves_it() -> None:
    env = gym.make(MIXTURE, target_ratio=0.0, time_limit=5)
    assert {info["domain"] for info in run(env, 40)} == {0}


@pytest.mark.parametrize(("ratio", "expected"), [(0.25, [1, 0, 0, 0, 1, 0, 0, 0]), (0.0, [1, 0, 0, 0, 0, 0, 0, 0])])
def test_a_schedule_can_start_in_the_target(ratio: float, expected: list[int]) -> None:
    settings = {"target_ratio": ratio, "start_in": "target", "time_limit": 5}
    env = gym.make(MIXTURE, **settings)
    infos = run(env, 40)
    assert [info["domain"] for info in infos][::5] == expected
    lanes = gym.make_vec(MIXTURE, num_envs=1, **settings)
    _, info = lanes.reset(seed=0)
    assert info["domain"][0] == 1
    lanes.close()


def test_the_episode_that_spends_the_budget_is_truncated() -> None:
    env = gym.make(MIXTURE, target_budget=7, target_ratio=1.0, time_limit=5)
    infos = run(env, 30)
    cut = [index for index, info in enumerate(infos) if info["budget_truncated"]]
    assert len(cut) == 1
    assert [info["domain"] for info in infos].count(1) == 7
    assert infos[cut[0]]["domain"] == 1


def test_the_active_domain_shows_through() -> None:
    env = gym.make(MIXTURE, target_ratio=1.0, time_limit=5)
    env.reset(seed=0)
    source = env.unwrapped
    for _ in range(5):
        env.step(env.action_space.sample())
    env.reset()
    target = env.unwrapped
    assert source is not target
    assert target.model.actuator_gear[0, 0] == 0.0
    assert env.spec.id == target.spec.id == MIXTURE


def test_a_seed_reaches_both_domains_and_spends_nothing() -> None:
    env = gym.make(MIXTURE, target_ratio=1.0, time_limit=5)
    starts = []
    for _ in range(2):
        first, _ = env.reset(seed=11)
        before = env.get_wrapper_attr("steps")()
        env.reset(seed=11)
        assert env.get_wrapper_attr("steps")() == before
        starts.append(first)
    assert np.array_equal(*starts)
    run(env, 5, seed=11)
    assert np.array_equal(env.reset(seed=11)[0], starts[0])
    assert env.unwrapped.model.actuator_gear[0, 0] == 0.0


def test_a_target_id_takes_a_budget_and_refuses_steps_after_it() -> None:
    env = gym.make("TransReward/HalfCheetah-broken-bthigh-target-v0", target_budget=6, max_episode_steps=4)
    infos = run(env, 6)
    assert [info["budget_truncated"] for info in infos] == [False] * 5 + [True]
    with pytest.raises(BudgetSpentError, match="The target's budget is spent after 6 steps"):
        env.step(env.action_space.sample())
    again = gym.make(env.spec)
    assert len(run(again, 6)) == 6


def test_an_abandoned_episode_gives_its_reserved_step_back() -> None:
    env = gym.make("TransReward/HalfCheetah-broken-bthigh-target-v0", target_budget=10)
    for _ in range(20):
        env.reset()
    run(env, 10)
    assert env.get_wrapper_attr("ledger").target_steps == 10


@pytest.mark.parametrize("lanes", [None, 2])
def test_who_is_dropped_without_being_closed_leaves_nothing_reserved(lanes: int | None, tmp_path: Path) -> None:
    settings = {"shared_state": str(tmp_path), "target_ratio": 1.0, "start_in": "target"}
    spent = []
    for _ in range(3):
        env = gym.make(MIXTURE, **settings) if lanes is None else gym.make_vec(MIXTURE, num_envs=lanes, **settings)
        env.reset(seed=0)
        env.step(env.action_space.sample())
        steps = env.steps if lanes else env.get_wrapper_attr("steps")
        spent.append(steps()["target"])
        del env, steps
        gc.collect()
    assert spent == [part * (lanes or 1) for part in (1, 2, 3)]
    ledger = SharedLedger(None, tmp_path, owner=_owner(tmp_path))
    assert ledger.reserved == 0


def _owner(directory: Path) -> str:
    """Return what a folder's ledger is for, without its budget."""
    (owner,) = sqlite3.connect(directory / "steps.sqlite").execute("SELECT owner FROM steps").fetchone()
    return owner.removesuffix(" with a target budget of None")


def test_what_is_dropped_while_another_has_the_file_gives_back_later(tmp_path: Path) -> None:
    dropped, other = SharedLedger(5, tmp_path), SharedLedger(5, tmp_path)
    assert dropped.reserve(2) == 2
    with other._transaction():
        dropped.release(2)  # as garbage collection may, at any moment; the file is the other's
        assert dropped in [ledger for ledger, _ in shared_ledger._here.later]
    assert other.reserved == 0


def test_one_that_was_taken_for_dead_is_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SharedLedger(5, tmp_path)
    assert first.reserve(3) == 3
    monkeypatch.setattr(shared_ledger, "is_alive", lambda process: False)
    second = SharedLedger(5, tmp_path)
    assert second.reserved == 0
    first.spend(1)
    assert first.reserve(2) == 2
    assert (second.reserved, second.target_steps) == (2, 1)


def test_a_step_while_no_episode_is_under_way_is_not_refused_for_the_budget() -> None:
    env = gym.make(MIXTURE, start_in="target", target_ratio=1.0, time_limit=2)
    env.reset(seed=0)
    while not env.step(env.action_space.sample())[3]:
        pass
    for stale in (env, copy.deepcopy(env)):
        with pytest.raises(ResetNeeded, match="while no episode is under way"):
            stale.step(env.action_space.sample())
    env.reset()
    with pytest.raises(ResetNeeded, match="while no episode is under way"):
        copy.deepcopy(env).step(env.action_space.sample())
    env.close()
    with pytest.raises(ResetNeeded, match="while no episode is under way"):
        env.step(env.action_space.sample())


def test_environments_of_one_process_spend_one_budget_together() -> None:
    envs = [gym.make(MIXTURE, target_budget=9, target_ratio=1.0, time_limit=5) for _ in range(3)]
    join_environments(envs)
    for env in envs:
        run(env, 20)
    assert envs[0].get_wrapper_attr("steps")() == {"source": 51, "target": 9}
    join_environments([gym.make("TransReward/Hopper-v0")] * 2)
    targets = [gym.make("TransReward/Hopper-gravity-2.0-target-v0", target_budget=5) for _ in range(2)]
    targets[1].reset(seed=0)
    with pytest.raises(RuntimeError, match="Environments are joined before their first reset"):
        join_environments(targets)
    other = gym.make("TransReward/Hopper-gravity-2.0-target-v0", target_budget=6)
    with pytest.raises(ValueError, match="target budget of 6, and .* target budget of 5"):
        join_environments([targets[0], other])


def test_copies_reserve_nothing_of_a_shared_budget(tmp_path: Path) -> None:
    env_id = "TransReward/HalfCheetah-broken-bthigh-target-v0"
    env = gym.make(env_id, target_budget=10, shared_state=str(tmp_path))
    run(env, 3)
    for other in [copy.deepcopy(env) for _ in range(3)]:
        other.close()
    env.reset()
    for _ in range(7):
        env.step(env.action_space.sample())
    with pytest.raises(BudgetSpentError):
        env.step(env.action_space.sample())


def hold_and_die(directory: Path) -> None:
    """Reserve target steps in a process that is killed before it takes them."""
    code = (
        "import os, sys\n"
        "from transreward_envs.training.shared_ledger import SharedLedger\n"
        "ledger = SharedLedger(10, sys.argv[1])\n"
        "assert ledger.reserve(4) == 4\n"
        "ledger.spend(1)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(directory)], check=False)
    assert result.returncode != 0


@pytest.mark.skipif(os.name != "posix", reason="only there can be told that a process is dead")
def test_what_a_dead_process_has_reserved_is_given_back(tmp_path: Path) -> None:
    mine = SharedLedger(10, tmp_path)
    assert mine.reserve(2) == 2
    hold_and_die(tmp_path)
    assert mine.reserved == 5
    other = SharedLedger(10, tmp_path)
    assert (other.target_steps, other.reserved) == (1, 2)
    assert other.reserve(100) == 7
    mine.release(2)
    assert other.reserve(100) == 2


ledger_actions = st.lists(
    st.sampled_from(("reserve", "reserve", "release", "spend", "source")), min_size=15, max_size=60
)


@settings(max_examples=100)
@given(budget=st.none() | st.integers(1, 5), actions=ledger_actions)
def test_a_shared_ledger_counts_as_a_local_one_and_neither_overspends(
    tmp_path_factory: pytest.TempPathFactory, budget: int | None, actions: list[str]
) -> None:
    local, shared = LocalLedger(budget), SharedLedger(budget, tmp_path_factory.mktemp("ledger"))
    reserved = 0
    for action in actions:
        if action == "reserve":
            granted = local.reserve()
            assert shared.reserve() == granted
            reserved += granted
        elif action == "source":
            local.count_source(3)
            shared.count_source(3)
        elif reserved:
            reserved -= 1
            for ledger in (local, shared):
                ledger.release() if action == "release" else ledger.spend()
        assert (local.source_steps, local.target_steps) == (shared.source_steps, shared.target_steps)
        assert budget is None or local.target_steps + reserved <= budget


def test_a_shared_ledger_outlives_its_process_and_is_restored(tmp_path: Path) -> None:
    first = open_ledger(5, str(tmp_path), owner="a test")
    assert first.reserve()
    first.spend()
    second = open_ledger(5, str(tmp_path), owner="a test")
    assert second.target_steps == 1
    second.restore(source_steps=20, target_steps=4)
    assert (first.source_steps, first.target_steps) == (20, 4)
    assert second.reserve()
    assert not first.reserve()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"target_ratio": 1.5}, r"`target_ratio` must lie in \[0, 1\]; got 1.5"),
        ({"start_in": "targt"}, "Unknown domain to start in 'targt'. Did you mean 'target'"),
        ({"target_bugdet": 5}, "Unknown keyword 'target_bugdet'. Did you mean 'target_budget'"),
        ({"time_limit": -1}, "`time_limit` must be an integer >= 1; got -1"),
        ({"target_budget": 0}, "`target_budget` must be an integer >= 1; got 0"),
        ({"pair": "Hopper-mas-2.0"}, "Unknown pair 'Hopper-mas-2.0'. Did you mean 'Hopper-mass-2.0'"),
    ],
)
def test_bad_schedules_say_what_is_wrong(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make(MIXTURE, **kwargs)
    if "target_budget" in kwargs:
        with pytest.raises(ValueError, match=message):
            TargetBudget(gym.make("TransReward/Hopper-v0"), **kwargs)


def test_a_folder_of_steps_belongs_to_one_target(tmp_path: Path) -> None:
    shared = {"target_budget": 5, "shared_state": str(tmp_path)}
    gym.make("TransReward/Hopper-mass-2.0-target-v0", **shared).reset(seed=0)
    gym.make_vec("TransReward/Hopper-mass-2.0-target-v0", num_envs=2, threads=1, **shared).reset(seed=0)
    with pytest.raises(ValueError, match="belongs to one run; .* to the target of Hopper with .* not to the target of"):
        gym.make("TransReward/HalfCheetah-gravity-0.5-target-v0", **shared).reset(seed=0)


@pytest.mark.parametrize("lanes", [{}, {"num_envs": 2}])
def test_a_folder_of_steps_needs_a_budget(tmp_path: Path, lanes: dict) -> None:
    make = gym.make_vec if lanes else gym.make
    with pytest.raises(ValueError, match="through which targets spend one budget; got .* and no `target_budget`"):
        make("TransReward/Hopper-mass-2.0-target-v0", shared_state=str(tmp_path), **lanes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_count_its_parents_steps(tmp_path: Path) -> None:
    ledger = SharedLedger(None, tmp_path)
    assert ledger.source_steps == 0
    ledger.count_source(5)
    if (child := os.fork()) == 0:
        ledger.count_source(2)
        ledger.flush()
        os._exit(0)
    os.waitpid(child, 0)
    assert ledger.source_steps == 7
