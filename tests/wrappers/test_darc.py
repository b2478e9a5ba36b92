"""DARC: against closed forms, and the contract of its settings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.small import small
from tests.wrappers.transitions import SOURCE, TARGET, LinearGaussian, some_transitions
from transreward_envs import get_pair, make_pair
from transreward_wrappers.darc import DARA, DARC
from transreward_wrappers.darc.classified import features_of
from transreward_wrappers.darc.classifiers import DomainClassifiers
from transreward_wrappers.darc.memory import Memory
from transreward_wrappers.networks import EnsembleMLP, Frozen

LARGE = {"batch_size": 4096, "learning_rate": 3e-3, "hidden": 64, "update_every": 16_384, "capacity": 1_000_000}


def learnt(source: LinearGaussian, target: LinearGaussian, *, samples: int, **settings: object) -> DARC:
    """Return DARC after ``samples`` transitions of each domain."""
    generator = np.random.default_rng(0)
    darc = DARC(warmup=0, fit_budget=0, **{**LARGE, "updates": 16, **settings})
    darc.bind(2, 1)
    for _ in range(samples // 8192):
        darc.update(source.sample(8192, 0, generator))
        darc.update(target.sample(8192, 1, generator))
    return darc


@pytest.mark.parametrize("parameterisation", ["joint", pytest.param("advantage", marks=pytest.mark.slow)])
def test_the_log_ratio_of_a_linear_gaussian_pair_is_within_a_tenth_of_a_nat(parameterisation: str) -> None:
    darc = learnt(SOURCE, TARGET, samples=1_000_000, input_noise=0.0, parameterisation=parameterisation)
    generator = np.random.default_rng(1)
    for domain, law in enumerate((SOURCE, TARGET)):
        batch = law.sample(10_000, domain, generator)
        exact = TARGET.log_density(batch) - SOURCE.log_density(batch)
        error = darc.log_ratio(batch) - exact
        assert np.sqrt((error**2).mean()) <= max(0.1, 0.12 * exact.std())


def test_with_input_noise_the_log_ratio_is_that_of_the_inflated_covariances() -> None:
    noise = 0.5
    source, target = (replace(law, normal_actions=True) for law in (SOURCE, TARGET))
    darc = learnt(source, target, samples=500_000, input_noise=noise)
    spread = (source.feature_covariance() + target.feature_covariance()) / 2.0
    inflation = noise**2 * np.diag(np.diag(spread))
    batch = source.sample(10_000, 0, np.random.default_rng(1))
    rows = features_of(batch).astype(np.float64)

    def log_density(covariance: np.ndarray, columns: slice) -> np.ndarray:
        inflated = (covariance + inflation)[columns, columns]
        some = rows[:, columns]
        quadratic = np.einsum("bi,ij,bj->b", some, np.linalg.inv(inflated), some)
        return -0.5 * (quadratic + np.linalg.slogdet(inflated)[1])

    exact = sum(
        sign * (log_density(target.feature_covariance(), columns) - log_density(source.feature_covariance(), columns))
        for sign, columns in ((1.0, slice(0, 5)), (-1.0, slice(0, 3)))
    )
    error = darc.log_ratio(batch) - exact
    assert np.sqrt((error**2).mean()) <= max(0.1, 0.12 * exact.std())
    clean = target.log_density(batch) - source.log_density(batch)
    assert exact.std() < 0.5 * clean.std()


def test_equal_domains_have_a_mean_log_ratio_of_nearly_zero() -> None:
    darc = learnt(SOURCE, SOURCE, samples=300_000)
    batch = SOURCE.sample(10_000, 0, np.random.default_rng(1))
    assert abs(darc.log_ratio(batch).mean()) < 0.05


def test_the_learning_rate_falls_over_the_fit_budget_and_is_whole_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def watch(adam: torch.optim.Adam) -> None:
        rates.append(adam.param_groups[0]["lr"])
        step(adam)

    monkeypatch.setattr(torch.optim.Adam, "step", watch)
    darc = small(fit_decay=True, learning_rate=0.1, fit_budget=4, updates=2, update_every=64)
    darc.update(some_transitions(128))
    np.testing.assert_allclose(rates, [0.1, 0.075, 0.05, 0.025, 0.1, 0.1, 0.1, 0.1])


def test_the_weights_are_averaged_as_far_back_as_is_asked() -> None:
    batch, ratios = some_transitions(20, seed=1), []
    for averaging in (0.0, 0.99):
        darc = small(averaging=averaging)
        darc.update(some_transitions(256))
        trained = darc.learner.classifiers
        last = trained.weights.frozen_log_ratio()(trained.normalizer(features_of(batch)))
        ratios.append(np.allclose(darc.log_ratio(batch), last, atol=1e-6))
    assert ratios == [True, False]


def test_swapping_the_domains_flips_the_sign() -> None:
    there, back = (learnt(*pair, samples=200_000) for pair in ((SOURCE, TARGET), (TARGET, SOURCE)))
    batch = SOURCE.sample(5_000, 0, np.random.default_rng(1))
    assert there.log_ratio(batch).mean() < -0.1 < 0.1 < back.log_ratio(batch).mean()
    assert np.corrcoef(there.log_ratio(batch), back.log_ratio(batch))[0, 1] < -0.9


@given(eta=st.floats(0.0, 3.0), clip=st.floats(0.01, 1.0))
def test_the_clip_is_exact_eta_scales_and_target_transitions_keep_their_reward(eta: float, clip: float) -> None:
    darc = small(eta=eta, clip=clip)
    for seed in range(4):
        darc.update(some_transitions(64, seed=seed))
    batch = some_transitions(50, seed=9)
    expected = np.where(batch.domain == 0, eta * np.clip(darc.log_ratio(batch), -clip, clip), 0.0)
    assert np.array_equal(darc(batch), expected)
    assert np.abs(darc(batch)).max() <= eta * clip


def test_a_batch_gives_what_its_transitions_give_one_by_one() -> None:
    darc = small()
    darc.update(some_transitions(256))
    batch = some_transitions(20, seed=1)
    one_by_one = [darc(batch.select(slice(index, index + 1)))[0] for index in range(20)]
    assert np.allclose(darc(batch), one_by_one, atol=1e-5)


def test_nothing_is_added_during_the_warmup_and_classifiers_learn_all_the_same() -> None:
    darc = small(warmup=500)
    darc.update(some_transitions(256))
    assert np.all(darc(some_transitions(20)) == 0.0)
    assert darc.diagnostics()["classifier_updates"] > 0
    darc.update(some_transitions(256))
    assert np.any(darc(some_transitions(20)) != 0.0)


def test_nothing_is_added_before_both_domains_were_seen() -> None:
    darc = small()
    batch = some_transitions(256)
    darc.update(batch.select(batch.domain == 0))
    assert np.all(darc(batch) == 0.0)
    assert darc.diagnostics()["classifier_updates"] == 0


def test_a_broken_network_is_not_clipped_into_a_reward() -> None:
    darc, batch = small(), some_transitions(50)
    darc.update(some_transitions(256))
    with torch.no_grad():
        darc.learner.classifiers.averaged.triple.biases[-1].fill_(float("inf"))
    darc.learner.classifiers.refresh()
    assert np.all(np.isnan(darc(batch)[batch.domain == 0]))


def test_a_domain_that_is_never_seen_is_spoken_of_once() -> None:
    darc = small()
    batch = some_transitions(6000)
    source = batch.select(batch.domain == 0)
    with pytest.warns(UserWarning, match="have not been trained in .* steps: they need 32 transitions of each domain"):
        for _ in range(6):
            darc.update(source)
    darc.update(source)


@pytest.mark.parametrize("members", [1, 3])
def test_the_frozen_networks_are_the_trained_ones(members: int) -> None:
    rows = np.random.default_rng(0).standard_normal((9, 5)).astype(np.float32)
    inputs = torch.from_numpy(rows).expand(members, 9, 5)
    network = EnsembleMLP(members, [5, 8, 8, 1])
    expected = network(inputs).detach().numpy()[..., 0]
    assert np.allclose(Frozen(network)(rows), expected, atol=1e-6)
    assert np.allclose(Frozen(network)(rows[:1]), expected[:, :1], atol=1e-6)
    for parameterisation in ("joint", "advantage"):
        classifiers = DomainClassifiers(3, 5, hidden=8, parameterisation=parameterisation, members=members)
        of_pair, of_triple = (logits.detach().numpy() for logits in classifiers.logits(inputs[..., :3], inputs))
        log_ratio = classifiers.frozen_log_ratio()
        assert np.allclose(log_ratio.members(rows), of_triple - of_pair, atol=1e-5)
        assert np.allclose(log_ratio(rows), (of_triple - of_pair).mean(axis=0), atol=1e-5)
        for frozen, trained in zip(classifiers.frozen()(rows), (of_pair, of_triple), strict=True):
            assert np.allclose(frozen, trained.mean(axis=0), atol=1e-5)


def test_the_members_of_an_ensemble_learn_from_batches_of_their_own() -> None:
    darc = small(members=4)
    for seed in range(4):
        darc.update(some_transitions(128, seed=seed))
    batch = some_transitions(50, seed=9)
    ratios = darc.learner.classifiers.log_ratios(features_of(batch))
    assert ratios.shape == (4, 50)
    assert ratios.std(axis=0).min() > 0.0
    np.testing.assert_allclose(ratios.mean(axis=0), darc.log_ratio(batch), atol=1e-5)


def test_weights_multiply_the_reward_of_source_transitions() -> None:
    darc = small(mode="weight", eta=0.5, clip=1.5)
    batch = some_transitions(50, seed=9)
    assert np.all(darc(batch) == 0.0)
    for seed in range(4):
        darc.update(some_transitions(64, seed=seed))
    weights = np.where(batch.domain == 0, np.exp(0.5 * np.clip(darc.log_ratio(batch), -1.5, 1.5)), 1.0)
    np.testing.assert_allclose(batch.reward + darc(batch), weights * batch.reward, atol=1e-12)


def test_weighted_rewards_are_the_targets_on_average() -> None:
    darc = learnt(SOURCE, TARGET, samples=400_000, input_noise=0.0, mode="weight", eta=1.0, clip=8.0)
    generator = np.random.default_rng(1)
    batch = SOURCE.sample(100_000, 0, generator)
    near = replace(batch, observation=np.tile([1.0, -0.5], (100_000, 1)), action=np.full((100_000, 1), 0.5))
    rewards = []
    for law in (SOURCE, TARGET):
        mean = near.observation @ law.state.T + near.action @ law.action.T
        following = mean + law.spread * generator.standard_normal(mean.shape)
        rewards.append(replace(near, next_observation=following, reward=following.sum(axis=1)))
    source, target = rewards
    weighted = (source.reward + darc(source)).mean()
    gap = abs(source.reward.mean() - target.reward.mean())
    assert gap > 0.1
    assert abs(weighted - target.reward.mean()) < 0.2 * gap


def test_withheld_target_rewards_are_nothing_and_source_ones_stay() -> None:
    darc = small(target_reward="withhold")
    batch = some_transitions(50, seed=9)
    total = batch.reward + darc(batch)
    assert np.array_equal(total, np.where(batch.domain == 1, 0.0, batch.reward))


def test_one_block_of_ten_is_learned_from_by_nothing() -> None:
    memory = Memory(1_000, 1)
    for start in range(0, 12_000, 300):
        memory.add(0, np.arange(start, start + 300, dtype=np.float32)[:, None])
    held_out, none = memory.held_out(10_000)
    assert np.array_equal(held_out[:, 0], np.arange(4_889 + 5_000, 10_000)[: len(held_out)])
    assert (len(held_out), len(none), memory.seen(0)) == (111, 0, 12_000)
    drawn = memory.sample(500, torch.Generator(), batches=3) if memory.ready(1) else None
    assert drawn is None  # there is no target transition yet
    memory.add(1, np.full((5, 1), -1.0, np.float32))
    drawn = memory.sample(500, torch.Generator(), batches=3)
    assert drawn.shape == (3, 1_000, 1)
    assert drawn[:, :500].min() >= 11_000.0
    assert np.all(drawn[:, 500:] == -1.0)


def test_accuracies_are_of_held_out_transitions() -> None:
    darc = small(batch_size=512, learning_rate=3e-3, updates=20, update_every=1_024, hidden=32)
    generator = np.random.default_rng(0)
    darc.bind(2, 1)
    assert "accuracy_of_triples" not in darc.diagnostics()
    for _ in range(10):
        darc.update(SOURCE.sample(600, 0, generator))
        darc.update(TARGET.sample(600, 1, generator))
    figures = darc.diagnostics()
    assert figures["accuracy_of_triples"] > 0.56 > figures["accuracy_of_pairs"] > 0.4
    held_out = darc.learner.memory.held_out(10_000)
    assert [len(rows) for rows in held_out] == [500, 500]
    told_target = [float((darc.learner.classifiers.classify(rows)[1] > 0.0).mean()) for rows in held_out]
    of_all = darc.learner.accuracies(10_000)["accuracy_of_triples"]
    assert of_all == pytest.approx((1.0 - told_target[0] + told_target[1]) / 2.0)
    assert of_all != figures["accuracy_of_triples"], "running ones are of the newest alone"


def test_the_clip_rate_is_of_what_was_paid_whatever_else_was_asked() -> None:
    darc, other = small(clip=0.05), some_transitions(500, seed=7)
    darc.update(some_transitions(256))
    assert "clip_rate" not in darc.diagnostics()
    batch = some_transitions(200, seed=1)
    darc(batch)
    assert "clip_rate" not in darc.diagnostics()  # that was a question, not a step
    darc(other)
    ratio = darc.log_ratio(batch)[batch.domain == 0]
    darc.update(batch)
    assert darc.diagnostics()["clip_rate"] == (np.abs(ratio) >= 0.05).mean()
    assert 0.0 < (np.abs(ratio) >= 0.05).mean() < 1.0


def test_dara_is_darc_with_a_tenth_of_the_weight() -> None:
    assert (DARA().eta, DARC().eta, {**DARA().settings(), "eta": 1.0}) == (0.1, 1.0, DARC().settings())


def test_a_pair_that_hides_actions_under_way_is_refused() -> None:
    hidden = make_pair("Hopper", {"kind": "delay", "steps": 3}, observe_actions=1)
    with pytest.raises(ValueError, match="DARC needs observations that hold every action under way"):
        DARC().check(hidden)
    DARC().check(get_pair("Walker2d-delay-3"))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"eta": -1.0}, ValueError, "`eta` must be finite and >= 0"),
        ({"clip": 0.0}, ValueError, "`clip` must be finite and > 0"),
        ({"clip": float("nan")}, ValueError, "`clip` must be finite and > 0"),
        ({"warmup": -1}, ValueError, "`warmup` must be an integer >= 0"),
        ({"update_every": 0}, ValueError, "`update_every` must be an integer >= 1"),
        ({"updates": 1.5}, TypeError, "`updates` must be an integer"),
        ({"capacity": 100}, ValueError, "`capacity` must be an integer >= 128"),
        ({"input_noise": -0.1}, ValueError, "`input_noise` must be finite and >= 0"),
        ({"mode": "weigh"}, ValueError, "Unknown mode 'weigh'. Did you mean 'weight'"),
        ({"target_reward": "hold"}, ValueError, "Unknown target_reward 'hold'"),
        ({"averaging": 1.0}, ValueError, r"`averaging` must lie in \[0, 1\)"),
        ({"fit_decay": 1}, TypeError, "`fit_decay` must be True or False"),
        ({"quadratic": 1}, TypeError, "`quadratic` must be True or False"),
        ({"members": 0}, ValueError, "`members` must be an integer >= 1"),
        ({"mode": "weight", "clip": 30.0}, ValueError, "exponent may be 20; got 1 \\* 30. Lower `clip`"),
        ({"parameterisation": "joined"}, ValueError, "Unknown parameterisation 'joined'. Did you mean 'joint'"),
    ],
)
def test_bad_settings_say_what_is_wrong(settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DARC(**settings)


def test_the_warmup_ends_with_its_last_step_however_seldom_there_is_training() -> None:
    darc = small(warmup=200, update_every=10_000)
    for seed in range(4):
        assert darc.learner.warm == (seed == 4)
        darc.update(some_transitions(50, seed=seed))
    assert darc.learner.warm
    assert darc.diagnostics()["classifier_updates"] == 8.0
