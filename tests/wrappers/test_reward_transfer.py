"""Reward transfer: the invariants of all estimators and weights, files, and what passes through."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.transitions import some_transitions
from transreward_envs import get_pair
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.policies import load_policy
from transreward_wrappers.policies.shipped import policy_path
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.fitting import FitFigures, hold_out
from transreward_wrappers.reward_transfer.settings import EstimatorName
from transreward_wrappers.reward_transfer.weight import LamMode

TINY = {"fit_budget": 50, "fit_updates": 5, "value_updates": 5, "hidden": 8, "horizon": 10}
LEARNT = ["reward", "optimal", "potential"]
REWARDS = ["reward", "optimal"]


def bound(**settings: object) -> RewardTransfer:
    method = RewardTransfer(**{**TINY, **settings})
    method.bind(3, 2)
    return method


@pytest.mark.parametrize("estimator", REWARDS)
@given(lam=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_the_reward_lies_between_the_targets_and_the_sources(estimator: str, lam: float, seed: int) -> None:
    method, batch = bound(estimator=estimator, lam=lam), some_transitions(20, seed=seed)
    paid, source = batch.reward + method(batch), method.source_reward(batch)
    assert np.all(paid >= np.minimum(batch.reward, source) - 1e-9)
    assert np.all(paid <= np.maximum(batch.reward, source) + 1e-9)
    assert np.all(np.abs(paid - batch.reward) <= lam * np.abs(source - batch.reward) + 1e-9)


@pytest.mark.parametrize("mode", get_args(LamMode))
@pytest.mark.parametrize("estimator", LEARNT)
def test_lam_zero_gives_the_targets_reward(estimator: str, mode: str) -> None:
    assert np.array_equal(bound(estimator=estimator, lam=0.0, lam_mode=mode)(some_transitions(20)), np.zeros(20))


@pytest.mark.parametrize("estimator", REWARDS)
def test_lam_one_gives_the_sources_reward(estimator: str) -> None:
    whole, batch = bound(estimator=estimator, lam=1.0), some_transitions(20)
    assert np.allclose(batch.reward + whole(batch), whole.source_reward(batch), atol=1e-12)


@pytest.mark.parametrize("mode", get_args(LamMode))
@pytest.mark.parametrize("estimator", REWARDS)
@given(lam=st.floats(0.0, 5.0))
def test_equal_rewards_are_left_alone(estimator: str, mode: str, lam: float) -> None:
    method, batch = bound(estimator=estimator, lam=lam, lam_mode=mode), some_transitions(20)
    same = replace(batch, reward=method.source_reward(batch))
    assert np.allclose(method(same), 0.0, atol=1e-12)


def test_the_sources_reward_looks_at_state_and_action_alone() -> None:
    method, batch = bound(lam=1.0), some_transitions(20)
    other = replace(batch, next_observation=batch.next_observation + 1.0, terminated=~batch.terminated)
    assert np.array_equal(method(batch), method(other))


@pytest.mark.parametrize("estimator", LEARNT)
def test_a_batch_gives_what_its_transitions_give_one_by_one(estimator: str) -> None:
    method, batch = bound(estimator=estimator), some_transitions(20)
    one_by_one = [method(batch.select(slice(index, index + 1)))[0] for index in range(20)]
    assert np.allclose(method(batch), one_by_one, atol=1e-5)


@pytest.mark.parametrize("mode", get_args(LamMode))
def test_an_annealed_potential_pays_a_drawn_transition_the_same_in_any_batch(mode: str) -> None:
    method, batch = bound(estimator="potential", lam_mode=mode, anneal_steps=100), some_transitions(20)
    method._tally.deviation, method._figures = 0.7, FitFigures(spread=0.05, deviation=1.3)
    method.update(batch)
    one_by_one = [method(batch.select(slice(index, index + 1)))[0] for index in range(20)]
    assert np.allclose(method(batch), one_by_one, atol=1e-5)
    assert np.allclose(method.passing(batch), method(batch), atol=1e-9) == (mode != "annealed")


@pytest.mark.parametrize("estimator", ["potential", "policy", "imitation"])
def test_estimators_without_a_reward_of_the_source_say_so(estimator: str) -> None:
    with pytest.raises(ValueError, match=f"The estimators 'reward' and 'optimal' have an r_S\\*; got '{estimator}'"):
        bound(estimator=estimator).source_reward(some_transitions(3))


@pytest.mark.parametrize("mode", get_args(LamMode))
@pytest.mark.parametrize("terminated", [False, True])
@given(seed=st.integers(0, 1000))
def test_a_potential_adds_up_to_what_depends_on_the_ends_alone(mode: str, terminated: bool, seed: int) -> None:
    length, gamma, lanes = 12, 0.9, 3
    settings = {"anneal_steps": 50, "variance_steps": 1, "gamma": gamma}
    method = bound(estimator="potential", lam=1.5, lam_mode=mode, **settings)
    method._tally.deviation, method._figures = 0.7, FitFigures(spread=0.05, deviation=1.3)
    generator = np.random.default_rng(seed)
    states = generator.standard_normal((length + 1, lanes, 3))
    weights, added = [], np.zeros(lanes)
    for t in range(length):
        batch = some_transitions(lanes, seed=seed + t)
        over = np.full(lanes, terminated and t == length - 1)
        batch = replace(batch, observation=states[t], next_observation=states[t + 1], terminated=over)
        added += gamma**t * method.passing(batch)
        weights.append(method._last[3])
        method.update(batch)
    last = replace(batch, observation=states[-1])
    beyond = method.passing(replace(last, next_observation=states[-1], terminated=np.ones(lanes, dtype=bool)))
    first = method._estimator(replace(batch, observation=states[0])).amount * weights[0]
    expected = first - gamma**length * (0.0 if terminated else beyond)
    np.testing.assert_allclose(added, expected, atol=1e-6)


def test_the_fitted_model_predicts_the_sources_reward() -> None:
    pair = get_pair("HalfCheetah-broken-bthigh")
    method = RewardTransfer(fit_budget=8_000, fit_updates=800, hidden=64, random_share=1.0)
    method.check(pair)
    method.bind(17, 6)
    source = pair.make("source")
    method.fit(source, source)
    fresh = RewardTransfer(fit_budget=1_000, random_share=1.0, seed=99).data().gather(source, pair)
    error = method.source_reward(fresh) - fresh.reward
    assert 1.0 - error.var() / fresh.reward.var() > 0.8
    method(fresh)
    method.update(fresh)
    told = method.diagnostics()
    assert 0.5 < told["spread"] < 2.0
    assert 0.85 < told["coverage"] <= 1.0
    assert 0.0 < told["unexplained"] < 0.2
    assert told["weight"] == 0.5


@pytest.mark.parametrize("estimator", get_args(EstimatorName))
def test_fits_are_reproducible_and_survive_a_file(estimator: str, tmp_path: Path) -> None:
    pair = get_pair("Hopper-gravity-2.0")
    methods = []
    for _ in range(2):
        method = RewardTransfer(estimator=estimator, **TINY)
        method.check(pair)
        method.bind(11, 3)
        method.fit(pair.make("source"), pair.make("target"))
        methods.append(method)
    batch = some_transitions(10, observation_size=11, action_size=3)
    expected = methods[0](batch)
    assert np.array_equal(methods[1](batch), expected)
    methods[0].update(batch)
    methods[0].save(tmp_path / "fit.safetensors")
    empty = RewardTransfer(estimator=estimator, **{**TINY, "seed": 3})
    empty.bind(11, 3)
    empty.load(tmp_path / "fit.safetensors")
    assert np.array_equal(empty(batch), methods[0](batch))
    assert empty.diagnostics() == methods[0].diagnostics()
    wrong = RewardTransfer(estimator=estimator, **TINY)
    wrong.bind(4, 1)
    with pytest.raises(CorruptFileError, match=r"is of sizes \[11, 3\], not \[4, 1\]"):
        wrong.load(tmp_path / "fit.safetensors")
    other = RewardTransfer(estimator="reward" if estimator != "reward" else "optimal", **TINY)
    other.bind(11, 3)
    with pytest.raises(CorruptFileError, match="is of estimator"):
        other.load(tmp_path / "fit.safetensors")
    impatient = RewardTransfer(estimator=estimator, gamma=0.5, **TINY)
    impatient.bind(11, 3)
    if estimator not in ("optimal", "potential"):
        impatient.load(tmp_path / "fit.safetensors")
    else:
        with pytest.raises(CorruptFileError, match=r"holds values of discount 0.99, not 0.5"):
            impatient.load(tmp_path / "fit.safetensors")


@pytest.mark.parametrize("estimator", LEARNT)
def test_learning_again_forgets_what_was_fitted_and_keeps_what_passed_through(estimator: str) -> None:
    data, batch = some_transitions(300), some_transitions(20, seed=1)
    once, twice = bound(estimator=estimator), bound(estimator=estimator)
    once.learn(data)
    twice.learn(some_transitions(200, seed=5))
    twice(batch)
    twice.update(batch)
    twice.learn(data)
    assert np.array_equal(once(batch), twice(batch))
    assert twice._tally.steps == 20


def test_an_annealed_weight_goes_on_from_a_file_where_it_was(tmp_path: Path) -> None:
    batch = some_transitions(10)
    method = bound(lam=1.0, lam_mode="annealed", anneal_steps=40)
    full = bound(lam=1.0)(batch)
    for part in (1.0, 0.75, 0.5):
        np.testing.assert_allclose(method(batch), part * full)
        method.update(batch)
    method.save(tmp_path / "state.safetensors")
    resumed = bound(lam=1.0, lam_mode="annealed", anneal_steps=40)
    resumed.load(tmp_path / "state.safetensors")
    np.testing.assert_allclose(resumed(batch), 0.25 * full)
    for _ in range(3):
        resumed.update(batch)
    assert np.array_equal(resumed(batch), np.zeros(10))


def test_calls_alone_do_not_pass_through(tmp_path: Path) -> None:
    method, batch = bound(lam_mode="annealed", anneal_steps=10), some_transitions(10)
    assert np.array_equal(method(batch), method(batch))
    assert method.diagnostics() == {}


def test_an_annealed_weight_goes_on_in_an_environment_that_resumes(tmp_path: Path) -> None:
    keywords = {**TINY, "estimator": "policy", "lam": 2.0, "anneal_steps": 80}
    env_id = "TransReward/Hopper-mass-2.0-reward-transfer-v0"

    def weight_after(env: gym.Env, steps: int) -> float:
        env.reset(seed=0)
        for _ in range(steps):
            if any(env.step(env.action_space.sample())[2:4]):
                env.reset()
        return env.get_wrapper_attr("compensation")._tally.steps

    env = gym.make(env_id, **keywords)
    assert weight_after(env, 30) == 30
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    resumed = gym.make(env_id, **keywords)
    resumed.get_wrapper_attr("load_state")(str(tmp_path / "state"))
    assert weight_after(resumed, 10) == 40
    _, _, _, _, info = resumed.step(np.ones(3, dtype=np.float32))
    policy = load_policy("Hopper")
    assert info["reward/compensation"] < 0.0
    assert resumed.get_wrapper_attr("compensation")._estimator._policy.digest() == policy.digest()
    assert weight_after(resumed, 60) == 101
    assert resumed.step(np.ones(3, dtype=np.float32))[4]["reward/compensation"] == 0.0


def test_lanes_count_every_transition_and_share_one_weight() -> None:
    keywords = {**TINY, "lam_mode": "annealed", "anneal_steps": 64, "lam": 1.0, "source_data": "policies"}
    envs = gym.make_vec("TransReward/Hopper-mass-2.0-reward-transfer-v0", num_envs=16, **keywords)
    envs.reset(seed=0)
    for _ in range(5):
        _, _, _, _, infos = envs.step(envs.action_space.sample())
    assert envs.diagnostics["weight"] == pytest.approx((1.0 + 0.75 + 0.5 + 0.25) / 5)
    assert np.array_equal(infos["reward/compensation"], np.zeros(16))


@pytest.mark.parametrize("sizes", [[1] * 40, [7, 1, 32], [3, 5, 8, 24], [40]])
def test_one_state_in_eight_is_looked_up_however_many_come_at_a_time(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, batch, seen = bound(), some_transitions(40), []
    monkeypatch.setattr(method, "_coverage", lambda states: (seen.append(states), np.ones(len(states), bool))[1])
    for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        part = batch.select(slice(start, start + size))
        method(part)
        method.update(part)
    np.testing.assert_array_equal(np.concatenate(seen), batch.observation[::8])
    assert method.diagnostics()["coverage"] == 1.0


def test_learning_without_a_call_before_it_counts_what_a_call_would_have() -> None:
    first, second = bound(), bound()
    for part in (some_transitions(10), some_transitions(10, seed=1)):
        first(part)
        first.update(part)
        second.update(part)
    assert first.diagnostics() == second.diagnostics()


def test_every_twentieth_stretch_is_held_out_and_nothing_of_it_is_fitted_to() -> None:
    data = some_transitions(4_500)
    kept, held = hold_out(data)
    assert len(kept) == 4_300
    np.testing.assert_array_equal(held.reward, np.concatenate([data.reward[1_900:2_000], data.reward[3_900:4_000]]))
    assert not set(kept.reward) & set(held.reward)
    whole, part = bound(), bound()
    whole.learn(data)
    part._estimator.fit(kept)
    assert np.array_equal(whole.source_reward(held), part.source_reward(held))
    assert whole.fit_steps() == {"source": 4_500}
    few = some_transitions(1_900)
    assert [len(part) for part in hold_out(few)] == [1_900, 1_900]


def test_a_fit_that_explains_nothing_says_so() -> None:
    data = some_transitions(4_000)
    method = bound(fit_updates=300, hidden=16)
    method.learn(data)
    assert method.diagnostics()["unexplained"] > 0.8
    method.learn(replace(data, reward=data.observation[:, 0]))
    assert method.diagnostics()["unexplained"] < 0.1
    method.learn(replace(data, reward=np.ones(4_000)))
    assert "unexplained" not in method.diagnostics()


def test_a_fit_without_a_pair_says_what_comes_first() -> None:
    source = get_pair("Hopper-gravity-2.0").make("source")
    with pytest.raises(RuntimeError, match="`check\\(pair\\)` comes before `fit`"):
        bound().fit(source, source)


@pytest.mark.parametrize("broken", ["empty", "nan"])
def test_source_data_are_finite_transitions(broken: str) -> None:
    data = some_transitions(10)
    data = data.select(slice(0, 0)) if broken == "empty" else replace(data, reward=np.full(10, np.nan))
    with pytest.raises(ValueError, match="Source data must be finite transitions, one at least; got"):
        bound().learn(data)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lam": -0.1}, ValueError, "`lam` must be finite and >= 0"),
        ({"lam": "half"}, TypeError, "`lam` must be a number"),
        ({"random_share": 2.0}, ValueError, r"`random_share` must lie in \[0, 1\]"),
        ({"fit_budget": 0}, ValueError, "`fit_budget` must be an integer >= 1"),
        ({"members": 1}, ValueError, "`members` must be an integer >= 2"),
        ({"estimator": "rewards"}, ValueError, "Unknown estimator 'rewards'. Did you mean 'reward'"),
        ({"lam": float("nan")}, ValueError, "`lam` must be finite and >= 0; got nan"),
        ({"lam": float("inf")}, ValueError, "`lam` must be finite and >= 0; got inf"),
        ({"lam_mode": "anneal"}, ValueError, "Unknown lam_mode 'anneal'. Did you mean 'annealed'"),
        ({"estimator": "policy", "lam_mode": "variance"}, ValueError, "must be 'annealed' or 'constant', because"),
        ({"gamma": 1.0}, ValueError, r"`gamma` must lie in \[0, 1\); got 1.0"),
        ({"expectile": 1.0}, ValueError, r"`expectile` must lie in \[0, 1\)"),
        ({"expectile": 0.0}, ValueError, "`expectile` must be finite and > 0"),
        ({"anneal_steps": 0}, ValueError, "`anneal_steps` must be an integer >= 1"),
        ({"variance_steps": 0}, ValueError, "`variance_steps` must be an integer >= 1"),
        ({"value_updates": -1}, ValueError, "`value_updates` must be an integer >= 0"),
        ({"source_policy": "expert.safetensors"}, ValueError, "'policy' and 'imitation' compare with; got it with"),
    ],
)
def test_bad_settings_say_what_is_wrong(settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RewardTransfer(**settings)


@pytest.mark.parametrize("batches", [[1] * 60, [3] * 20])
def test_a_potential_adds_up_while_the_weight_becomes_known(batches: list[int]) -> None:
    """At the step that makes the deviation known, the end is paid for with the weight of the next beginning."""
    method = bound(estimator="potential", lam=1.0, lam_mode="variance", variance_steps=31, gamma=0.9)
    method._figures = FitFigures(spread=0.05, deviation=1.3)
    lanes, length, weights = batches[0], len(batches), []
    states = np.random.default_rng(0).standard_normal((length + 1, lanes, 3))
    added = np.zeros(lanes)
    for t in range(length):
        batch = some_transitions(lanes, seed=t)
        over = np.full(lanes, t == length - 1)
        batch = replace(batch, observation=states[t], next_observation=states[t + 1], terminated=over)
        added += 0.9**t * method.passing(batch)
        weights.append(method._last[3])
        method.update(batch)
    assert weights[0] == 1.0
    assert weights[-1] < 0.9
    np.testing.assert_allclose(added, method._estimator(replace(batch, observation=states[0])).amount, atol=1e-6)


def test_an_agent_that_takes_over_a_fit_counts_its_own_steps_if_they_were_forgotten(tmp_path: Path) -> None:
    method = bound(lam=1.0, lam_mode="variance", variance_steps=40)
    method.learn(some_transitions(200))
    method.update(some_transitions(60, seed=1))
    method.save(tmp_path / "goes-on.safetensors")
    method.forget_steps()
    method.save(tmp_path / "fresh.safetensors")
    goes_on, fresh = (bound(fitted=str(tmp_path / f"{name}.safetensors")) for name in ("goes-on", "fresh"))
    assert (goes_on._tally.steps, fresh._tally.steps) == (60, 0)
    assert goes_on._tally.deviation == fresh._tally.deviation > 0.0


def test_a_fit_of_another_source_is_refused(tmp_path: Path) -> None:
    settings = {"fit_budget": 600, "fit_updates": 2, "hidden": 8}
    env = gym.make("TransReward/Walker2d-mass-2.0-reward-transfer-v0", **settings)
    env.reset(seed=0)
    env.get_wrapper_attr("save_state")(str(tmp_path / "walker.safetensors"))
    with pytest.raises(ValueError, match="to the source 'HalfCheetah', .* is of the source Walker2d, not HalfCheetah"):
        gym.make(
            "TransReward/HalfCheetah-mass-2.0-reward-transfer-v0", hidden=8, fitted=str(tmp_path / "walker.safetensors")
        )
    gym.make(
        "TransReward/Walker2d-gravity-2.0-reward-transfer-v0", hidden=8, fitted=str(tmp_path / "walker.safetensors")
    )


@pytest.mark.parametrize("setting", ["source_policy", "source_data"])
def test_a_policy_of_another_robot_with_the_same_sizes_is_refused(setting: str) -> None:
    path = str(policy_path("Walker2d", "expert"))
    more = {"estimator": "policy"} if setting == "source_policy" else {"fit_budget": 100, "fit_updates": 2}
    env = gym.make("TransReward/HalfCheetah-mass-2.0-reward-transfer-v0", **{setting: path}, **more)
    with pytest.raises(ValueError, match="must be of the domain's own robot; .* was trained as Walker2d"):
        env.reset(seed=0)


@pytest.mark.parametrize("setting", [{"target_ratio": 0.1}, {"start_in": "source"}])
def test_turns_are_refused_by_a_method_that_acts_in_the_target_alone(setting: dict) -> None:
    message = f"`{next(iter(setting))}` is of methods that act in both domains by turns; RewardTransfer acts in the"
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=message):
            make("TransReward/Hopper-mass-2.0-reward-transfer-v0", **setting)


def test_what_is_saved_before_the_first_episode_is_fitted(tmp_path: Path) -> None:
    env_id = "TransReward/InvertedPendulum-mass-2.0-reward-transfer-v0"
    settings = {"fit_budget": 600, "fit_updates": 2, "hidden": 8}
    env = gym.make(env_id, **settings)
    env.get_wrapper_attr("save_state")(str(tmp_path / "state.safetensors"))
    again = gym.make(env_id, **settings)
    again.get_wrapper_attr("load_state")(str(tmp_path / "state.safetensors"))
    assert again.get_wrapper_attr("compensation").fit_steps() == {"source": 600}
    assert again.get_wrapper_attr("compensation")._figures.transitions == 600
