"""DRaE as a compensation: its formula, what it learns, and the contract of its settings."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from tests.wrappers.enumerated import ExactValues, Process
from tests.wrappers.transitions import some_transitions
from transreward_envs import make_pair
from transreward_wrappers import CompensationError, Transitions
from transreward_wrappers.darc.classified import features_of
from transreward_wrappers.drae import DRaE, DynamicsRatio, Trajectories, added_reward, residual, weight
from transreward_wrappers.drae.learner import ValueLearner
from transreward_wrappers.drae.values import ValueNetworks, ValueRows
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import save_tensors

SMALL = {
    "batch_size": 32,
    "hidden": 16,
    "update_every": 64,
    "updates": 2,
    "warmup": 0,
    "fit_budget": 8,
    "value_updates": 2,
    "recent": 500,
}


def small(*, observation_size: int = 3, **settings: object) -> DRaE:
    drae = DRaE(**{**SMALL, **settings})
    drae.bind(observation_size, 2)
    return drae


def taught(**settings: object) -> DRaE:
    """Return DRaE that has learned a little."""
    drae = small(**settings)
    for seed in range(4):
        drae.update(some_transitions(64, seed=seed))
    return drae


def values_of(drae: DRaE, batch: Transitions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return V(s), V(s') and Q(s, a)."""
    learner = drae._learner_of_values
    states = (learner.state_values(states)[0] for states in (batch.observation, batch.next_observation))
    return (*states, learner.action_values(batch.observation, batch.action)[0])


@pytest.mark.parametrize("kind", ["classifier", "interval", "slide", "one"])
def test_source_rewards_are_those_of_the_formula_and_target_rewards_stay(kind: str) -> None:
    drae, batch = taught(kind=kind, clip=1.2, gamma=0.9), some_transitions(200, seed=9)
    log_ratios = drae.learner.classifiers.log_ratios(features_of(batch))
    low, high = (np.minimum(np.exp(side), 1.2) for side in (log_ratios.min(axis=0), log_ratios.max(axis=0)))
    _, following, q = values_of(drae, batch)
    bootstrap = np.where(batch.terminated, 0.0, following)
    expected = {
        "classifier": np.minimum(np.exp(log_ratios.mean(axis=0)), 1.2),
        "interval": np.clip(1.0, low, high),
        "slide": np.clip(
            np.divide(0.9 * bootstrap - batch.reward, 1.8 * bootstrap, out=np.ones(200), where=bootstrap != 0.0),
            low,
            high,
        ),
        "one": np.ones(200),
    }[kind]
    added = (expected - 1.0) * (batch.reward + 0.9 * bootstrap - q)
    np.testing.assert_allclose(drae(batch), np.where(batch.domain == 0, added, 0.0), atol=1e-9)
    assert (drae(batch) != 0.0).any() == (kind != "one")


def test_a_batch_gives_what_its_transitions_give_one_by_one() -> None:
    drae, batch = taught(), some_transitions(20, seed=9)
    one_by_one = [drae(batch.select(slice(index, index + 1)))[0] for index in range(20)]
    np.testing.assert_allclose(drae(batch), one_by_one, atol=1e-5)


def test_nothing_is_added_during_the_warmup_and_all_networks_learn_meanwhile() -> None:
    drae = taught(warmup=300)
    assert not drae(some_transitions(20)).any()
    assert not drae.ready
    assert drae.diagnostics()["classifier_updates"] > 0
    assert drae.diagnostics()["value_updates"] == 2 * drae.diagnostics()["classifier_updates"]
    drae.update(some_transitions(64, seed=5))
    assert drae.ready
    assert drae(some_transitions(20)).any()


def test_v_and_q_are_those_of_the_behaviour_in_the_target() -> None:
    generator = np.random.default_rng(3)
    source, target = (Process.random(generator, gamma=0.8) for _ in range(2))
    source = replace(source, law=0.5 * source.law + 0.5 * target.law, rewards=target.rewards)
    learner = ValueLearner(
        ValueNetworks(observation_size=5, action_size=3, gamma=0.8, hidden=64, learning_rate=3e-3, seed=0),
        batch_size=256,
        capacity=30_000,
        seed=0,
    )
    states, actions = generator.integers(0, 4, 20_000), generator.integers(0, 3, 20_000)
    following = (generator.random((20_000, 1)) > source.law[states, actions].cumsum(axis=1)).sum(axis=1)
    rows = ValueRows(
        observation=np.eye(5, dtype=np.float32)[states],
        action=np.eye(3, dtype=np.float32)[actions],
        change=(np.eye(5)[following] - np.eye(5)[states]).astype(np.float32),
        reward=source.rewards[states, actions].astype(np.float32),
        goes_on=(following < 4).astype(np.float32),
        domain=np.zeros(20_000, np.float32),
        weight=np.ones(20_000, np.float32),
    )

    def ratio_of(features: np.ndarray, of_source: np.ndarray) -> DynamicsRatio:
        assert of_source.all()
        s, a = features[:, :5].argmax(axis=1), features[:, 5:8].argmax(axis=1)
        ratio = (target.law / source.law)[s, a, (features[:, :5] + features[:, 8:]).argmax(axis=1)]
        return DynamicsRatio(low=ratio, high=ratio)

    learner.learn(rows, updates=800, ratio_of=ratio_of)
    exact = {name: behaviour_values(process) for name, process in (("source", source), ("target", target))}
    where = np.indices((4, 3)).reshape(2, -1)
    found = learner.action_values(np.eye(5)[where[0]], np.eye(3)[where[1]]).reshape(4, 3)
    wrong = np.abs(found - exact["source"]).mean()
    assert np.abs(found - exact["target"]).mean() < min(0.25 * wrong, 0.15)
    np.testing.assert_allclose(learner.state_values(np.eye(5)[:4])[0], exact["target"].mean(axis=1), atol=0.3)


def test_rewards_that_are_nothing_for_long_are_learned_from_once_they_come() -> None:
    networks = ValueNetworks(observation_size=3, action_size=2, gamma=0.5, hidden=32, learning_rate=3e-3, seed=0)
    learner = ValueLearner(networks, batch_size=64, capacity=2_000, seed=0)
    observations = np.random.default_rng(0).standard_normal((1_000, 3)).astype(np.float32)
    nothing, some = np.zeros(1_000, np.float32), (np.arange(1_000) % 2).astype(np.float32)

    def ratio_of(features: np.ndarray, of_source: np.ndarray) -> DynamicsRatio:
        return DynamicsRatio(low=np.ones(len(features)), high=np.ones(len(features)))

    def learn(reward: np.ndarray, updates: int) -> float:
        rest = {"domain": nothing, "weight": nothing + 1.0, "goes_on": nothing + 1.0, "change": 0.0 * observations}
        rows = ValueRows(observation=observations, action=observations[:, :2], reward=reward, **rest)
        learner.learn(rows, updates=updates, ratio_of=ratio_of)
        return float(np.abs(learner.state_values(observations.astype(float))).mean())

    assert learn(nothing, 100) < 0.1
    assert 0.2 < learn(some, 300) < 1.0  # a quarter of the rewards kept are 1, for ever at half the worth


def behaviour_values(process: Process) -> np.ndarray:
    """Return Q of actions that are drawn uniformly."""
    q = np.zeros_like(process.rewards)
    for _ in range(200):
        q = process.rewards + process.gamma * process.law @ np.append(q.mean(axis=1), 0.0)
    return q


def test_values_that_are_handed_in_are_used_and_none_are_learned() -> None:
    process = Process.random(np.random.default_rng(0))
    batch = replace(process.transitions(), domain=np.zeros(len(process.transitions()), np.int64))
    drae = DRaE(**{**SMALL, "gamma": process.gamma})
    drae.bind(5, 1)
    drae.hand_in(ExactValues(q=process.solve(), doubt=np.arange(5.0)))
    mixed = replace(batch, domain=np.arange(len(batch)) % 2)
    for _ in range(4):
        drae.update(mixed)
    assert drae.ready
    assert drae.diagnostics()["value_updates"] == 0
    log_ratios = drae.learner.classifiers.log_ratios(features_of(batch))
    rho = np.clip(1.0, np.exp(log_ratios.min(axis=0)), np.exp(log_ratios.max(axis=0)))
    q = process.solve()
    v = np.append(q.max(axis=1), 0.0)
    states, actions, following = (part.ravel() for part in np.indices(process.law.shape))
    surplus = process.rewards[states, actions] + process.gamma * v[following] - q[states, actions]
    np.testing.assert_allclose(drae(batch), (np.minimum(rho, 2.0) - 1.0) * surplus, atol=1e-6)


def test_whole_trajectories_are_paid_by_what_follows() -> None:
    drae, batch = taught(), some_transitions(60, seed=9)
    ends = np.arange(60) % 12 == 11
    following = np.where(ends[:, None], batch.next_observation, np.roll(batch.observation, -1, axis=0))
    batch = replace(batch, terminated=batch.terminated & ends, next_observation=following)
    logs = np.random.default_rng(0).standard_normal(60)
    v, following, q = values_of(drae, batch)
    steps = Trajectories(reward=batch.reward, value=v, next_value=following, terminated=batch.terminated, ends=ends)
    log_ratios = drae.learner.classifiers.log_ratios(features_of(batch))
    rho = np.minimum(np.clip(1.0, np.exp(log_ratios.min(axis=0)), np.exp(log_ratios.max(axis=0))), 2.0)
    rho[batch.domain == 1] = 1.0
    ratio = DynamicsRatio(low=rho, high=rho)
    for given, weights in (({}, np.ones(60)), ({"log_policy_ratio": logs, "clip": 1.5}, weight(logs, clip=1.5))):
        estimate = residual(steps, q, gamma=0.99, policy_weight=weights, ratio=ratio)
        expected = added_reward(steps, q, gamma=0.99, ratio=ratio, estimate=estimate)
        np.testing.assert_allclose(drae.trajectory_added(batch, ends, **given), expected, atol=1e-9)


def test_trajectories_are_not_relabelled_by_classifiers_in_their_warm_up() -> None:
    with pytest.raises(RuntimeError, match="classifiers that have learned; these are in their warm-up of 900 steps"):
        taught(warmup=900).trajectory_added(some_transitions(3), np.array([False, False, True]))


def test_a_broken_network_is_an_error_and_no_reward() -> None:
    drae, batch = taught(), some_transitions(50, seed=9)
    with torch.no_grad():
        drae.learner.classifiers.averaged.triple.biases[-1].fill_(float("inf"))
    drae.learner.classifiers.refresh()
    assert np.isnan(drae(batch)[batch.domain == 0]).all()
    alone = replace(batch, terminated=np.zeros(50, bool))
    with pytest.raises(ValueError, match="`ratio.low` must be finite; .* has diverged"):
        drae.trajectory_added(alone, np.arange(50) == 49)


class Broken:
    """V and Q of networks that have diverged."""

    def state_values(self, observation: np.ndarray) -> np.ndarray:
        return np.full((1, len(observation)), np.nan)

    def action_values(self, observation: np.ndarray, action: np.ndarray) -> np.ndarray:
        return np.full((1, len(observation)), np.nan)


def test_a_broken_value_is_an_error_that_names_compensation_and_step() -> None:
    settings = {**SMALL, "time_limit": 20, "target_ratio": 0.5}
    env = gym.make("TransReward/Hopper-gravity-2.0-drae-v0", **settings)
    env.action_space.seed(0)
    env.reset(seed=0)
    compensation = env.get_wrapper_attr("compensation")
    with pytest.raises(CompensationError, match="DRaE returned nan at step .* of Hopper-gravity-2.0"):
        for _ in range(300):
            if any(env.step(env.action_space.sample())[2:4]):
                env.reset()
            if compensation.ready:
                compensation.hand_in(Broken())


@pytest.mark.parametrize("how", ["file", "pickle", "deepcopy"])
def test_a_copy_goes_on_learning_as_the_original_would(how: str, tmp_path: Path) -> None:
    drae = taught()
    drae.update(some_transitions(30, seed=20))
    drae.save(tmp_path / "drae.safetensors")
    if how == "file":
        other = small(seed=1)
        other.load(tmp_path / "drae.safetensors")
    else:
        other = pickle.loads(pickle.dumps(drae)) if how == "pickle" else copy.deepcopy(drae)
    for learner in (drae, other):
        for seed in (7, 8):
            learner.update(some_transitions(200, seed=seed))
    batch = some_transitions(30, seed=9)
    assert np.array_equal(drae(batch), other(batch))
    first, second = (learner.diagnostics() for learner in (drae, other))
    recent = ("ratio_mean", "clip_rate") if how == "file" else ()
    assert {**first, **dict.fromkeys(recent)} == {**second, **dict.fromkeys(recent)}


def test_learning_is_reproducible_and_leaves_global_generators_alone() -> None:
    state, batch = torch.random.get_rng_state(), some_transitions(10, seed=9)
    first, second, other = (taught(seed=seed)(batch) for seed in (5, 5, 6))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_reseeding_draws_other_batches_and_forgets_nothing() -> None:
    batch, added = some_transitions(10, seed=9), []
    for seed in (3, 3, 4):
        drae = taught()
        before = drae(batch)
        drae.reseed(seed)
        assert np.array_equal(drae(batch), before)
        drae.update(some_transitions(256, seed=2))
        added.append(drae(batch))
    assert np.array_equal(added[0], added[1])
    assert not np.array_equal(added[0], added[2])


def test_values_of_an_earlier_run_are_taken_over_and_kept(tmp_path: Path) -> None:
    earlier, batch = taught(), some_transitions(20, seed=9)
    earlier.save(tmp_path / "earlier.safetensors")
    drae = taught(values=str(tmp_path / "earlier.safetensors"), seed=3)
    assert np.array_equal(drae.action_value(batch), earlier.action_value(batch))
    assert drae.diagnostics()["classifier_updates"] > 0
    with pytest.raises(ValueError, match="agent's discount; those in .* are of 0.99, and `gamma` is 0.5. Give another"):
        small(values=str(tmp_path / "earlier.safetensors"), gamma=0.5)
    with pytest.raises(ValueError, match="observations of 4 and actions of 2 numbers; these are of 3 and 2"):
        small(observation_size=4, values=str(tmp_path / "earlier.safetensors"))
    with pytest.raises(CorruptFileError, match="of classifiers of their own shape; .* is of {.*sizes.: .3, 2."):
        small(observation_size=4).load(tmp_path / "earlier.safetensors")
    save_tensors(tmp_path / "other.safetensors", {"some": torch.zeros(1)}, {"steps": 3})
    with pytest.raises(ValueError, match="`values` must be a file that DRaE has saved; .*other.safetensors has no V"):
        small(values=str(tmp_path / "other.safetensors"))
    with pytest.raises(ValueError, match="a file that DRaE has saved; got .*nowhere .There is no file"):
        small(values=str(tmp_path / "nowhere"))


class Flat(Broken):
    """V and Q without members."""

    def state_values(self, observation: np.ndarray) -> np.ndarray:
        return np.zeros(len(observation))


def test_v_and_q_of_other_sizes_or_shapes_are_refused() -> None:
    drae = small(observation_size=4)
    other = ValueNetworks(observation_size=3, action_size=2, gamma=0.9, hidden=8, learning_rate=1e-3, seed=0)
    with pytest.raises(ValueError, match="of 4 and actions of 2 numbers; those of ValueNetworks do not: operands"):
        drae.hand_in(other)
    with pytest.raises(ValueError, match=r"those of Flat gave the shapes \(2,\) and \(1, 2\)"):
        drae.hand_in(Flat())


def test_running_figures_tell_of_ratios_and_values() -> None:
    drae = taught(clip=1.05)
    figures = drae.diagnostics()
    assert {"classifier_loss", "value_loss", "ratio_mean", "clip_rate"} <= set(figures)
    assert 0.0 <= figures["clip_rate"] <= 1.0
    assert "ratio_mean" not in small().diagnostics()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"kind": "slid"}, ValueError, "Unknown kind of ratio 'slid'. Did you mean 'slide'"),
        ({"clip": -1.0}, ValueError, "`clip` must be finite and > 0; got -1.0"),
        ({"gamma": 1.5}, ValueError, r"`gamma` must lie in \[0, 1\]; got 1.5"),
        ({"gamma": -0.5}, ValueError, "`gamma` must be finite and >= 0; got -0.5"),
        ({"value_updates": -1}, ValueError, "`value_updates` must be an integer >= 0; got -1"),
        ({"value_learning_rate": 0.0}, ValueError, "`value_learning_rate` must be finite and > 0; got 0.0"),
        ({"recent": 0}, ValueError, "`recent` must be an integer >= 1; got 0"),
        ({"members": 0}, ValueError, "`members` must be an integer >= 1; got 0"),
    ],
)
def test_settings_that_break_their_rule_are_refused(settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DRaE(**settings)


def test_a_pair_that_hides_actions_under_way_is_refused() -> None:
    hidden = make_pair("Hopper", {"kind": "delay", "steps": 3}, observe_actions=1)
    with pytest.raises(ValueError, match="DRaE needs observations that hold every action under way"):
        DRaE().check(hidden)


def test_values_of_another_width_are_refused(tmp_path: Path) -> None:
    taught().save(tmp_path / "earlier.safetensors")
    with pytest.raises(ValueError, match="networks with `hidden` units in a layer; these have 16, and `hidden` is 8"):
        small(values=str(tmp_path / "earlier.safetensors"), hidden=8)


def test_all_that_is_clipped_counts_as_clipped() -> None:
    for clip in (1.5, 2.0, 3.0, 5.0, 7.0, 10.0):
        assert weight(np.array([50.0, np.log(clip)]), clip=clip).tolist() == [clip, clip]
        assert weight(np.log(clip) - np.array([1e-15, 1e-3]), clip=clip).max() <= clip


def test_saving_changes_nothing_of_what_is_learned(tmp_path: Path) -> None:
    values = []
    for saves in (False, True, "and loads"):
        drae = small(warmup=130)
        for seed in range(300):
            drae.update(some_transitions(1, seed=seed))
            if saves and seed == 150:
                drae.save(tmp_path / "drae.safetensors")
            if saves == "and loads" and seed == 150:
                drae = small(warmup=130)
                drae.load(tmp_path / "drae.safetensors")
        values.append(drae(some_transitions(50, seed=999)))
    assert np.abs(values[0]).max() > 0.0
    assert np.array_equal(values[0], values[1])
    assert np.array_equal(values[0], values[2])
