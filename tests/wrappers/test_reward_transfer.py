"""Reward transfer: the invariants of lambda, and a model that predicts the source's reward."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.transitions import some_transitions
from transreward_envs import get_pair
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.source_run import SourceRun

TINY = {"fit_budget": 50, "fit_updates": 5, "hidden": 8, "horizon": 10}


def bound(**settings: object) -> RewardTransfer:
    method = RewardTransfer(**{**TINY, **settings})
    method.bind(3, 2)
    return method


@given(lam=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_the_reward_lies_between_the_targets_and_the_sources(lam: float, seed: int) -> None:
    method, batch = bound(lam=lam), some_transitions(20, seed=seed)
    paid, source = batch.reward + method(batch), method.source_reward(batch)
    assert np.all(paid >= np.minimum(batch.reward, source) - 1e-9)
    assert np.all(paid <= np.maximum(batch.reward, source) + 1e-9)
    assert np.all(np.abs(paid - batch.reward) <= lam * np.abs(source - batch.reward) + 1e-9)


def test_lam_zero_gives_the_targets_reward_and_lam_one_the_sources() -> None:
    batch = some_transitions(20)
    assert np.array_equal(bound(lam=0.0)(batch), np.zeros(20))
    whole = bound(lam=1.0)
    assert np.allclose(batch.reward + whole(batch), whole.source_reward(batch), atol=1e-12)


@given(lam=st.floats(0.0, 5.0))
def test_equal_rewards_are_left_alone(lam: float) -> None:
    method, batch = bound(lam=lam), some_transitions(20)
    same = replace(batch, reward=method.source_reward(batch))
    assert np.allclose(method(same), 0.0, atol=1e-12)


def test_the_sources_reward_looks_at_state_and_action_alone() -> None:
    method, batch = bound(lam=1.0), some_transitions(20)
    other = replace(batch, next_observation=batch.next_observation + 1.0, terminated=~batch.terminated)
    assert np.array_equal(method(batch), method(other))


def test_a_batch_gives_what_its_transitions_give_one_by_one() -> None:
    method, batch = bound(), some_transitions(20)
    one_by_one = [method(batch.select(slice(index, index + 1)))[0] for index in range(20)]
    assert np.allclose(method(batch), one_by_one, atol=1e-5)


def test_the_fitted_model_predicts_the_sources_reward() -> None:
    pair = get_pair("HalfCheetah-broken-bthigh")
    method = RewardTransfer(fit_budget=8_000, fit_updates=800, hidden=64, random_share=1.0)
    method.bind(17, 6)
    source, target = pair.make("source"), pair.make("target")
    method.fit(source, target)
    fresh = SourceRun(source, budget=1_000, random_share=1.0, horizon=200, seed=99).collect()
    error = method.source_reward(fresh) - fresh.reward
    assert 1.0 - error.var() / fresh.reward.var() > 0.8
    method.update(fresh)
    assert 0.5 < method.diagnostics()["spread"] < 2.0


def test_the_source_run_improves_on_random_actions_and_keeps_to_its_budget() -> None:
    source = get_pair("HalfCheetah-broken-bthigh").make("source")
    data = SourceRun(source, budget=30_000, random_share=0.1, horizon=200, seed=0).collect()
    assert len(data) == 30_000
    assert data.reward[-5_000:].mean() > data.reward[:3_000].mean() + 0.05
    follows = np.all(data.next_observation[:-1] == data.observation[1:], axis=1)
    assert 1.0 - follows.mean() < 2.0 / 200.0
    assert np.all(np.abs(data.action) <= 1.0)


@pytest.mark.parametrize("budget", [1, 3, 20])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_source_run_ends_for_every_budget_and_share(budget: int, share: float) -> None:
    source = get_pair("InvertedPendulum-gravity-2.0").make("source")
    assert len(SourceRun(source, budget=budget, random_share=share, horizon=5, seed=0).collect()) == budget


def test_fits_are_reproducible_and_survive_a_file(tmp_path: Path) -> None:
    pair = get_pair("Hopper-gravity-2.0")
    methods = []
    for _ in range(2):
        method = RewardTransfer(**TINY)
        method.bind(11, 3)
        method.fit(pair.make("source"), pair.make("target"))
        methods.append(method)
    batch = some_transitions(10, observation_size=11, action_size=3)
    expected = methods[0].source_reward(batch)
    assert np.array_equal(methods[1].source_reward(batch), expected)
    methods[0].save(tmp_path / "fit.safetensors")
    empty = RewardTransfer(**{**TINY, "seed": 3})
    empty.bind(11, 3)
    assert not np.array_equal(empty.source_reward(batch), expected)
    empty.load(tmp_path / "fit.safetensors")
    assert np.array_equal(empty.source_reward(batch), expected)
    wrong = RewardTransfer(**TINY)
    wrong.bind(4, 1)
    with pytest.raises(CorruptFileError, match="is of sizes"):
        wrong.load(tmp_path / "fit.safetensors")


def test_the_cache_depends_on_the_source_and_the_fit_but_not_on_target_or_lam() -> None:
    pair, other = get_pair("Hopper-gravity-2.0"), get_pair("Hopper-mass-2.0")
    key = RewardTransfer().fit_key(pair)
    assert RewardTransfer(lam=0.9).fit_key(other) == key
    assert RewardTransfer(fit_budget=10).fit_key(pair) != key
    assert RewardTransfer().fit_key(get_pair("Ant-mass-2.0")) != key
    assert RewardTransfer().fit_key(get_pair("Hopper-repeat-4to2")) != key
    assert RewardTransfer(fit_budget=123).fit_steps() == {"source": 123}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lam": -0.1}, ValueError, "`lam` must be finite and >= 0"),
        ({"lam": "half"}, TypeError, "`lam` must be a number"),
        ({"random_share": 2.0}, ValueError, r"`random_share` must lie in \[0, 1\]"),
        ({"fit_budget": 0}, ValueError, "`fit_budget` must be an integer >= 1"),
        ({"members": 1}, ValueError, "`members` must be an integer >= 2"),
        ({"estimator": "rewards"}, ValueError, "Unknown estimator 'rewards'. Did you mean 'reward'"),
    ],
)
def test_bad_settings_say_what_is_wrong(settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RewardTransfer(**settings)
