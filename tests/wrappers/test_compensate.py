"""The reward wrapper: transparent but for the reward, exact, and clear about what it cannot do."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.transitions import some_transitions
from transreward_envs import get_pair
from transreward_envs.methods import METHODS, Method
from transreward_wrappers import Compensate, Compensation, CompensationError, Transitions, register_compensation
from transreward_wrappers.bound import load_compensation, make_compensation
from transreward_wrappers.storage import load_tensors

MIXTURE = "TransReward/HalfCheetah-broken-bthigh-mixture-v0"
PAIR = get_pair("HalfCheetah-broken-bthigh")


@dataclass(kw_only=True, eq=False)
class Constant(Compensation):
    """Adds the same to every reward."""

    acts_in: ClassVar = "both"

    amount: float = 0.1

    def __call__(self, batch: Transitions) -> np.ndarray:
        return np.full(len(batch), self.amount)


def compensated(**settings: object) -> Compensate:
    return Compensate(gym.make(MIXTURE, time_limit=20), pair=PAIR, compensation=Constant, settings=settings)


def test_all_but_the_reward_passes_through_untouched() -> None:
    env, plain = compensated(amount=0.1), gym.make(MIXTURE, time_limit=20)
    env.action_space.seed(0)
    start, theirs = env.reset(seed=0), plain.reset(seed=0)
    assert np.array_equal(start[0], theirs[0])
    for _ in range(60):
        action = env.action_space.sample()
        mine, other = env.step(action), plain.step(action)
        assert np.array_equal(mine[0], other[0])
        assert mine[2:4] == other[2:4]
        assert mine[4]["reward/env"] == other[1]
        assert mine[1] == mine[4]["reward/env"] + mine[4]["reward/compensation"]
        assert isinstance(mine[1], float)
        extra = {"reward/env", "reward/compensation"}
        if other[2] or other[3]:
            extra.add("episode_compensated")
            assert mine[4]["episode_env"]["r"] == other[4]["episode_env"]["r"]
            returns = mine[4]["episode_compensated"]["r"], float(other[4]["episode_env"]["r"])
            assert returns[0] == pytest.approx(returns[1] + 20 * 0.1)
            env.reset()
            plain.reset()
        assert set(mine[4]) - set(other[4]) == extra


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_what_is_not_finite_is_an_error_that_names_compensation_and_step(amount: float) -> None:
    env = compensated(amount=amount)
    env.reset(seed=0)
    with pytest.raises(CompensationError, match="Constant returned (nan|inf) at step 1 of HalfCheetah-broken-bthigh"):
        env.step(env.action_space.sample())


def test_an_environment_is_compensated_once() -> None:
    with pytest.raises(TypeError, match="An environment is compensated once; this one has Constant already"):
        Compensate(compensated(), pair=PAIR, compensation=Constant)


def test_what_is_no_compensation_is_refused() -> None:
    with pytest.raises(TypeError, match="A compensation is a subclass of"):
        Compensate(gym.make(MIXTURE), pair=PAIR, compensation=dict)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Unknown setting of Constant 'amuont'. Did you mean 'amount'"):
        compensated(amuont=1.0)


def test_spaces_that_are_no_boxes_are_refused() -> None:
    env = gym.wrappers.TransformAction(gym.make(MIXTURE), lambda action: action, gym.spaces.Discrete(2))
    with pytest.raises(TypeError, match="A compensation needs a Box action space"):
        Compensate(env, pair=PAIR, compensation=Constant)


def test_a_compensation_of_ones_own_gets_its_ids() -> None:
    register_compensation("constant", Constant)
    try:
        env = gym.make("TransReward/Hopper-gravity-2.0-constant-v0", amount=0.5)
        env.reset(seed=0)
        assert env.step(env.action_space.sample())[4]["reward/compensation"] == 0.5
        assert gym.make(env.spec).spec == env.spec
        register_compensation("constant", Constant)
        with pytest.raises(ValueError, match="'darc' is taken"):
            register_compensation("darc", Constant)
        with pytest.raises(ValueError, match="'source' is taken"):
            register_compensation("source", Constant)
        with pytest.raises(ValueError, match="stands in its ids and is not empty; got ''"):
            register_compensation("", Constant)
    finally:
        METHODS.pop("constant")
        for env_id in [env_id for env_id in gym.registry if env_id.endswith("-constant-v0")]:
            del gym.registry[env_id]


def test_the_table_of_methods_tells_where_each_compensation_acts() -> None:
    for method in METHODS.values():
        if method.compensation is not None:
            cls = load_compensation(method.compensation)
            assert method == Method(compensation=method.compensation, acts_in=cls.acts_in)


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.compensation is not None])
def test_asking_a_compensation_leaves_no_trace(name: str, tmp_path: Path) -> None:
    cls = load_compensation(METHODS[name].compensation)
    darc = {"warmup": 40, "fit_budget": 5, "update_every": 8, "batch_size": 8}
    settings = {"darc": darc, "drae": darc, "dtw": {"segments": 0, "refit_every": 0}}.get(name, {})
    asked, left_alone = (make_compensation(cls, settings) for _ in range(2))
    for compensation in (asked, left_alone):
        compensation.bind(3, 2)
    for step in range(30):
        batch = some_transitions(4, seed=step)
        for compensation in (asked, left_alone):
            compensation(batch)
            if compensation is asked:
                before = compensation.diagnostics()
                first, second = (compensation(some_transitions(7, seed=1_000 + step)) for _ in range(2))
                assert np.array_equal(first, second)
                assert compensation.diagnostics() == before
            compensation.update(batch)
    assert asked.diagnostics() == left_alone.diagnostics()
    kept = []
    for compensation in (asked, left_alone):
        compensation.save(tmp_path / "kept")
        kept.append(load_tensors(tmp_path / "kept"))
    assert kept[0][1] == kept[1][1]
    assert all(torch.equal(tensor, kept[1][0][key]) for key, tensor in kept[0][0].items())


class Passing(Constant):
    """Adds more to what passes through than to what is asked for again."""

    def passing(self, batch: Transitions) -> np.ndarray:
        return self(batch) + 1.0


def test_what_passes_through_may_be_paid_otherwise_than_what_is_asked_for_again() -> None:
    env = Compensate(gym.make(MIXTURE), pair=PAIR, compensation=Passing, settings={"amount": 0.5})
    env.reset(seed=0)
    *_, info = env.step(env.action_space.sample())
    assert info["reward/compensation"] == 1.5
    batch = some_transitions(3)
    assert np.array_equal(env.paid_for(batch), batch.reward + 0.5)


def test_a_wrapper_tells_what_it_would_pay_for_any_transitions() -> None:
    batch = some_transitions(5, observation_size=17, action_size=6)
    assert compensated(amount=0.25).paid_for(batch).tolist() == (batch.reward + 0.25).tolist()
    with pytest.raises(CompensationError, match="Constant returned nan at step 0"):
        compensated(amount=float("nan")).paid_for(batch)


@given(failed=st.lists(st.booleans(), min_size=1, max_size=8))
def test_steps_whose_physics_failed_are_shown_to_no_compensation(failed: list[bool]) -> None:
    env, mask = Compensate(gym.make(MIXTURE), pair=PAIR, compensation=Recording), np.array(failed)
    batch = some_transitions(len(failed), observation_size=17, action_size=6)
    paid = env.paid_for(batch, mask)
    assert paid.tolist() == batch.reward.tolist()
    shown = [len(one) for one in env.compensation.paid]
    assert shown == [len(failed) - mask.sum()] * (not mask.all())


@dataclass(kw_only=True, eq=False)
class Recording(Compensation):
    """Keeps every transition that it is shown."""

    acts_in: ClassVar = "both"

    def bind(self, observation_size: int, action_size: int) -> None:
        self.paid: list[Transitions] = []
        self.learnt: list[Transitions] = []

    def update(self, batch: Transitions) -> None:
        self.learnt.append(batch)

    def __call__(self, batch: Transitions) -> np.ndarray:
        self.paid.append(batch)
        return np.zeros(len(batch))


def test_a_compensation_sees_every_transition_as_it_was_and_none_across_episodes() -> None:
    env = Compensate(gym.make(MIXTURE, time_limit=7, target_ratio=0.5), pair=PAIR, compensation=Recording)
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    expected = []
    for _ in range(60):
        action = env.action_space.sample()
        following, _, terminated, truncated, info = env.step(action)
        expected.append((observation, action, info["reward/env"], following, terminated, info["domain"]))
        observation = env.reset()[0] if terminated or truncated else following
    assert env.compensation.paid == env.compensation.learnt
    fields = ("observation", "action", "reward", "next_observation", "terminated", "domain")
    for batch, row in zip(env.compensation.paid, expected, strict=True):
        assert all(np.array_equal(getattr(batch, name)[0], value) for name, value in zip(fields, row, strict=True))
    assert {row[-1] for row in expected} == {0, 1}


def test_many_lanes_of_one_id_spend_one_budget_and_learn_together() -> None:
    settings = {"target_budget": 30, "target_ratio": 0.5, "time_limit": 10}
    learning = {"warmup": 50, "update_every": 20, "batch_size": 16, "hidden": 8}
    for method, more in (("mixture", {}), ("darc", learning)):
        envs = gym.make_vec(PAIR.id(method), num_envs=4, **settings, **more)
        envs.reset(seed=0)
        for _ in range(60):
            envs.step(envs.action_space.sample())
        assert envs.steps()["target"] == 30
        assert envs.steps()["source"] > 150
        assert gym.make_vec(envs.spec).num_envs == 4
    assert envs.diagnostics["classifier_updates"] > 0


def test_a_state_that_is_not_there_is_no_new_run_unless_nothing_is_kept() -> None:
    env = gym.make("TransReward/InvertedPendulum-gravity-2.0-darc-v0")
    with pytest.raises(FileNotFoundError, match="`save_state` wrote; there is none at nowhere"):
        env.get_wrapper_attr("load_state")("nowhere")
    compensated(amount=0.25).load_state("nowhere")


@pytest.mark.parametrize("given", [np.ones((1, 1)), 1.0, np.ones(2), None, ["much"]])
def test_what_is_paid_is_a_number_a_transition(given: Any) -> None:
    env = compensated()
    env.compensation.passing = lambda batch: given
    env.reset(seed=0)
    with pytest.raises(CompensationError, match=r"a number for each of the 1 transitions, as an array of shape \(1,\)"):
        env.step(env.action_space.sample())


def test_a_class_that_no_other_process_could_find_is_refused() -> None:
    class Local(Constant):
        pass

    with pytest.raises(TypeError, match="defined at the top of a module"):
        register_compensation("local", Local)


@pytest.mark.parametrize("method", ["mixture", "darc"])
def test_cleanrls_stack_of_wrappers_goes_around_a_training_id(method: str) -> None:
    def thunk() -> gym.Env:
        env = gym.make(PAIR.id(method), time_limit=20)
        env = gym.wrappers.FlattenObservation(env)
        env = gym.wrappers.RecordEpisodeStatistics(env)
        env = gym.wrappers.ClipAction(env)
        env = gym.wrappers.NormalizeObservation(env)
        env = gym.wrappers.TransformObservation(env, lambda observation: np.clip(observation, -10, 10), None)
        env = gym.wrappers.NormalizeReward(env, gamma=0.99)
        return gym.wrappers.TransformReward(env, lambda reward: float(np.clip(reward, -10, 10)))

    envs = gym.vector.SyncVectorEnv([thunk] * 2, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    finished = []
    for _ in range(45):
        infos = envs.step(envs.action_space.sample())[4]
        finished += [infos["final_info"]] if "final_info" in infos else []
    assert len(finished) == 2
    assert all(episode in finished[0] for episode in ("episode", "episode_env"))
    lanes = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(PAIR.id(method), num_envs=2, time_limit=20))
    lanes.reset(seed=0)
    assert any("episode" in lanes.step(lanes.action_space.sample())[4] for _ in range(25))


@pytest.mark.parametrize("method", ["mixture", "darc"])
def test_an_episode_whose_physics_fails_ends_and_teaches_nothing(method: str) -> None:
    env = gym.make(PAIR.id(method), **({"warmup": 5} if method == "darc" else {}))
    _, info = env.reset(seed=0)
    assert info["physics_failed"] is False
    env.action_space.seed(0)
    for _ in range(10):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        assert not any((terminated, truncated, info["physics_failed"]))
    env.unwrapped.data.qvel[0] = np.nan
    _, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert (reward, terminated, truncated, info["physics_failed"]) == (0.0, False, True, True)
    assert info["episode_env"]["l"] == 11
    assert info["reward_forward"] == 0.0
    if method == "darc":
        assert info["reward/compensation"] == 0.0
        env.get_wrapper_attr("compensation")._flush()
        assert env.get_wrapper_attr("compensation").learner.steps == 10
    _, info = env.reset()
    assert not info["physics_failed"]
    assert not env.step(env.action_space.sample())[3]


@dataclass(kw_only=True, eq=False)
class Several(Constant):
    """Has a setting that JSON knows as a list."""

    joints: tuple[int, ...] = (0, 1)


def test_a_setting_that_json_keeps_otherwise_is_the_same_to_the_next_process(tmp_path: Path) -> None:
    for _ in range(2):
        env = Compensate(gym.make(MIXTURE), pair=PAIR, compensation=Several, shared_state=str(tmp_path))
        env.reset(seed=0)


def test_settings_are_kept_as_plain_values(tmp_path: Path) -> None:
    settings = {"hidden": np.int64(8), "eta": np.float32(0.5), "members": np.int64(1)}
    env = gym.make(PAIR.id("darc"), **settings, shared_state=str(tmp_path / "shared"))
    env.reset(seed=0)
    kept = env.get_wrapper_attr("compensation").settings()
    assert json.loads(json.dumps(kept)) == kept
    assert (kept["hidden"], kept["eta"]) == (8, 0.5)
    assert gym.make(EnvSpec.from_json(env.spec.to_json())).get_wrapper_attr("compensation").settings() == kept
    limited = gym.make(PAIR.id("darc"), time_limit=np.int64(5), shared_state=tmp_path / "limited")
    assert json.loads(limited.spec.to_json())["kwargs"]["time_limit"] == 5
    with pytest.raises(TypeError, match="`target_data` must be a string or None; got 3"):
        gym.make(PAIR.id("darc"), target_data=3)
