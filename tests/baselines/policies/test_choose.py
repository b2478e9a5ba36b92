"""Policies that ship are chosen fairly: by other episodes than those that count, and within their range."""

import numpy as np
import pytest

from tests.wrappers.test_policies import policy
from transreward_baselines.policies.between import between, bisect, wild
from transreward_baselines.policies.choose import (
    Candidate,
    calm,
    choose_expert,
    choose_medium,
    choose_snapshots,
    share,
)
from transreward_baselines.policies.scores import FINAL_SEED, Score, score, score_random, spec_of
from transreward_wrappers.policies import GaussianPolicy


def scored(mean: float) -> Score:
    return Score(mean=mean, low=mean - 1.0, high=mean + 1.0, episodes=100)


def candidates(*values: float) -> list[Candidate]:
    return [Candidate(policy=policy(about={"worth": value}), rough=value) for value in values]


def test_the_expert_is_chosen_by_other_episodes_than_those_that_count() -> None:
    tried: list[tuple[float, int, int]] = []

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        worth = one.about["worth"]
        tried.append((worth, episodes, seed))
        return scored({90.0: 95.0, 100.0: 80.0}.get(worth, worth) - 5.0 * (seed == FINAL_SEED))

    chosen = choose_expert(candidates(10.0, 90.0, 60.0, 100.0), scorer)
    assert (chosen.policy.about["worth"], chosen.score.mean) == (90.0, 90.0)
    assert {worth for worth, *_ in tried[:-1]} == {60.0, 90.0, 100.0}
    assert FINAL_SEED not in {seed for *_, seed in tried[:-1]}
    assert tried[-1] == (90.0, 100, FINAL_SEED)


def test_an_expert_that_training_began_with_is_among_the_finalists_however_it_seems() -> None:
    tried: list[float] = []

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        tried.append(one.about["worth"])
        return scored({10.0: 99.0}.get(one.about["worth"], one.about["worth"]))

    known = candidates(10.0, 20.0, 90.0, 60.0, 95.0)
    assert choose_expert(known, scorer, beginnings=known[:1]).policy.about["worth"] == 10.0
    tried.clear()
    assert choose_expert(known, scorer, beginnings=known[2:3]).policy.about["worth"] == 95.0
    assert sorted(tried[:-1]) == [20.0, 60.0, 90.0, 95.0], "none is tried twice"


def test_a_medium_policy_is_between_a_third_and_a_half() -> None:
    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        lucky = 10.0 if one.about["worth"] == 42.0 and seed == FINAL_SEED else 0.0
        return scored(one.about["worth"] + lucky)

    chosen = choose_medium(candidates(0.0, 30.0, 42.0, 44.0, 90.0), scorer, low=0.0, high=100.0)
    assert chosen is not None
    assert chosen.score.mean == 52.0  # of the episodes that count, whatever they give
    assert choose_medium(candidates(0.0, 30.0, 60.0), scorer, low=0.0, high=100.0) is None
    assert (share(-40.0, low=-80.0, high=0.0), share(1.0, low=2.0, high=2.0)) == (0.5, 0.0)


def test_a_medium_policy_that_is_well_inside_by_trial_episodes_is_preferred_to_a_nearer_one() -> None:
    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        return scored({42.0: 48.0, 50.0: 40.0}.get(one.about["worth"], 0.0))

    for worths, expected in {(42.0, 50.0): 50.0, (42.0, 90.0): 42.0}.items():  # the edge of the range, if nothing else
        chosen = choose_medium(candidates(*worths), scorer, low=0.0, high=100.0)
        assert chosen is not None
        assert chosen.policy.about["worth"] == expected


def test_a_line_from_other_random_weights_is_tried_where_one_leads_past_the_range() -> None:
    best = policy(about={"steps": 7})
    whole = wild(best, seed=3).weights[0] - best.weights[0]

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        way = one.weights[0] - best.weights[0]
        part = float((way * whole).sum() / (whole**2).sum())
        return scored(100.0 * (1.0 - part) if np.allclose(way, part * whole, atol=0.01) else 0.0)

    chosen = choose_medium([Candidate(policy=best, rough=100.0)], scorer, low=0.0, high=100.0)
    assert chosen is not None
    assert 33.0 <= chosen.score.mean <= 50.0


def test_a_range_that_training_stepped_over_is_met_on_the_line_between_two_policies() -> None:
    worse, better = (policy(log_std=np.full(2, value, np.float32), about={"steps": 7}) for value in (-3.0, -1.0))

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        return scored(50.0 * (3.0 + float(one.log_std[0])))

    other = Candidate(policy=policy(observations=5), rough=30.0)
    tried = [Candidate(policy=worse, rough=0.0), Candidate(policy=better, rough=100.0)]
    chosen = choose_medium([*tried, other], scorer, low=0.0, high=100.0)
    assert chosen is not None
    assert 100.0 / 3.0 <= chosen.score.mean <= 50.0
    assert chosen.policy.about["between"] == {"steps": [7, 7], "weight": chosen.score.mean / 100.0}
    assert choose_medium([tried[1], other], scorer, low=0.0, high=100.0) is None  # no other of its shape
    assert choose_medium(tried[:1], scorer, low=0.0, high=100.0) is None
    assert bisect(worse, better, lambda one: 100.0 * (one is better), low=40.0, high=50.0) is None
    with pytest.raises(ValueError, match="can be averaged if they have one shape"):
        between(worse, policy(observations=5), 0.5)


def test_a_range_that_training_began_above_is_met_on_the_line_from_random_weights() -> None:
    best = policy(about={"steps": 7})
    first = wild(best).weights[0]

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        apart = np.linalg.norm(one.weights[0] - best.weights[0]) / np.linalg.norm(first - best.weights[0])
        return scored(100.0 * (1.0 - float(apart)))

    chosen = choose_medium([Candidate(policy=best, rough=90.0)], scorer, low=0.0, high=90.0)
    assert chosen is not None
    assert 30.0 <= chosen.score.mean <= 45.0
    assert chosen.policy.about["between"]["steps"] == [None, 7]


def test_random_weights_swing_from_bound_to_bound() -> None:
    observations = np.random.default_rng(0).normal(size=(1_000, 4)).astype(np.float32)
    tame = policy()
    first, again, other = wild(tame), wild(tame), wild(tame, seed=1)
    assert float((np.abs(first(observations)) == 1.0).mean()) > 0.5
    assert np.array_equal(first(observations), again(observations))
    assert not np.array_equal(first(observations), other(observations))


def test_parameters_between_two_policies_are_their_mean() -> None:
    first, second = policy(1), policy(2)
    found = between(first, second, 0.25)
    for name in ("weights", "biases"):
        for ours, *theirs in zip(getattr(found, name), getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_allclose(ours, 0.75 * theirs[0] + 0.25 * theirs[1], rtol=1e-6)
    for name in ("log_std", "observation_mean", "observation_variance"):
        np.testing.assert_allclose(
            getattr(found, name), 0.75 * getattr(first, name) + 0.25 * getattr(second, name), rtol=1e-6
        )


@pytest.mark.parametrize(("goal", "factor"), [(10.0, 1.0), (70.0, 0.25), (1_000.0, 1.0 / 64.0)])
def test_a_policy_keeps_as_much_noise_as_lets_it_reach_a_goal(goal: float, factor: float) -> None:
    noisy = policy(log_std=np.array([0.0, -1.0], np.float32))

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        return scored(100.0 - 100.0 * float(np.exp(one.log_std[0])))

    quiet = calm(noisy, scorer, goal=goal if goal != 10.0 else -1.0)
    np.testing.assert_allclose(np.exp(quiet.policy.log_std), factor * np.exp(noisy.log_std), rtol=1e-5)
    assert quiet.score.mean == pytest.approx(100.0 - 100.0 * factor)


def test_snapshots_are_spread_from_random_to_expert() -> None:
    many = candidates(*np.linspace(0.0, 100.0, 101))
    found = [candidate.rough for candidate in choose_snapshots(many, low=0.0, high=100.0)]
    np.testing.assert_allclose(found, np.arange(6.25, 100.0, 12.5), atol=1.0)
    assert len(choose_snapshots(many[:3], low=0.0, high=100.0)) == 3


def test_a_score_is_the_mean_of_its_episodes_with_an_interval_around_it() -> None:
    spec = spec_of("Hopper")
    first = score(policy(observations=11, actions=3), spec, episodes=5)
    assert first == score(policy(observations=11, actions=3), spec, episodes=5)
    assert first.low <= first.mean <= first.high
    assert score_random(spec_of("InvertedPendulum")).mean < 20.0
