"""Values of the source: implicit Q-learning against enumeration, and what exact values do to a target."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.wrappers.enumerated import ExactValues, Process
from transreward_wrappers import Transitions
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.optimal import Optimal
from transreward_wrappers.reward_transfer.potential import Potential
from transreward_wrappers.reward_transfer.values import Values

seeds = st.integers(0, 10_000)


def two_processes(seed: int) -> tuple[Process, Process]:
    """Return a source and a target of the same states and actions, with other dynamics and rewards."""
    generator = np.random.default_rng(seed)
    return Process.random(generator), Process.random(generator)


def method_with(
    estimator: str, source: Process, *, doubt: np.ndarray | None = None, **settings: object
) -> RewardTransfer:
    method = RewardTransfer(estimator=estimator, gamma=source.gamma, **settings)
    method.bind(source.law.shape[-1], 1)
    values = ExactValues(q=source.solve(), doubt=np.zeros(source.law.shape[-1]) if doubt is None else doubt)
    method._estimator = {"optimal": Optimal, "potential": Potential}[estimator](values, gamma=source.gamma)
    return method


@given(seed=seeds)
def test_optimal_with_all_of_lam_makes_the_sources_values_the_targets_own(seed: int) -> None:
    source, target = two_processes(seed)
    rewards = target.with_added(method_with("optimal", source, lam=1.0))
    np.testing.assert_allclose(target.solve(rewards), source.solve(), atol=1e-8)


@given(seed=seeds)
def test_optimal_pays_the_sources_own_reward_where_the_source_itself_is_the_target(seed: int) -> None:
    source, _ = two_processes(seed)
    expected = (source.law * source.with_added(method_with("optimal", source, lam=1.0))).sum(axis=-1)
    np.testing.assert_allclose(expected, source.rewards, atol=1e-8)


@given(seed=seeds, lam=st.floats(0.0, 3.0))
def test_a_potential_lowers_every_value_by_itself_and_leaves_the_best_actions_as_they_are(
    seed: int, lam: float
) -> None:
    source, target = two_processes(seed)
    rewards = target.with_added(method_with("potential", source, lam=lam))
    shaped, plain = target.solve(rewards), target.solve()
    np.testing.assert_allclose(shaped, plain - lam * source.solve().max(axis=1)[:, None], atol=1e-7)
    assert np.array_equal(shaped.argmax(axis=1), plain.argmax(axis=1))


@given(seed=seeds)
def test_a_potential_whose_weight_depends_on_the_state_leaves_the_best_actions_as_they_are(seed: int) -> None:
    source, target = two_processes(seed)
    doubt = np.random.default_rng(seed).uniform(0.0, 4.0, source.law.shape[-1])
    method = method_with("potential", source, lam=1.0, lam_mode="similarity", doubt=doubt)
    shaped, plain = target.solve(target.with_added(method)), target.solve()
    weight = np.minimum(1.0, 1.0 / doubt[:-1]) ** 2
    np.testing.assert_allclose(shaped, plain - (weight * source.solve().max(axis=1))[:, None], atol=1e-7)


@given(seed=seeds, lam=st.floats(0.0, 1.0))
def test_with_a_part_of_lam_optimal_lies_between_both_rewards(seed: int, lam: float) -> None:
    source, target = two_processes(seed)
    batch = target.transitions()
    paid = batch.reward + method_with("optimal", source, lam=lam)(batch)
    whole = batch.reward + method_with("optimal", source, lam=1.0)(batch)
    np.testing.assert_allclose(paid, (1.0 - lam) * batch.reward + lam * whole, atol=1e-9)


def a_chain(length: int = 5) -> Transitions:
    """Return all transitions of a chain: +1 walks right, -1 left, and the right end pays and terminates."""
    states = np.repeat(np.arange(length), 2)
    actions = np.tile([-1.0, 1.0], length)
    following = np.clip(states + actions.astype(int), 0, length - 1)
    over = (states == length - 1) & (actions > 0)
    return Transitions(
        observation=np.eye(length)[states],
        action=actions[:, None],
        reward=np.where(over, 10.0, -0.5 * (actions < 0)),
        next_observation=np.eye(length)[following],
        terminated=over,
        domain=np.zeros(len(states), dtype=np.int64),
    )


def test_implicit_q_learning_comes_near_the_optimal_values_of_a_chain() -> None:
    chain, gamma = a_chain(), 0.8
    settings = FitSettings(members=2, hidden=32, updates=1_500, batch_size=64, learning_rate=3e-3, seed=0)
    values = Values(5, 1, gamma=gamma, expectile=0.98, settings=settings)
    values.fit(chain)
    optimal = 10.0 * gamma ** np.arange(4, -1, -1)
    there = np.append(optimal, 0.0)[np.where(chain.terminated, 5, chain.next_observation.argmax(axis=1))]
    exact = chain.reward + gamma * there
    np.testing.assert_allclose(values.state_values(np.eye(5)), np.stack([optimal] * 2), atol=0.3)
    np.testing.assert_allclose(values.action_values(chain.observation, chain.action), np.stack([exact] * 2), atol=0.3)


def test_a_low_expectile_values_what_the_data_do_on_average_and_a_high_one_the_best_of_it() -> None:
    chain = a_chain()
    settings = FitSettings(members=2, hidden=32, updates=800, batch_size=64, learning_rate=3e-3, seed=0)
    means = []
    for expectile in (0.5, 0.9):
        values = Values(5, 1, gamma=0.8, expectile=expectile, settings=settings)
        values.fit(chain)
        means.append(values.state_values(np.eye(5)).mean(axis=0))
    assert np.all(means[1] > means[0] + 0.2)


def test_values_do_not_see_beyond_a_termination() -> None:
    data = replace(a_chain(), terminated=np.ones(10, dtype=bool))
    settings = FitSettings(members=2, hidden=32, updates=600, batch_size=64, learning_rate=3e-3, seed=0)
    values = Values(5, 1, gamma=0.99, expectile=0.7, settings=settings)
    values.fit(data)
    told = values.action_values(data.observation, data.action).mean(axis=0)
    np.testing.assert_allclose(told, data.reward, atol=0.3)


def test_a_state_is_worth_what_the_lower_of_both_networks_says_and_an_action_their_mean() -> None:
    settings = FitSettings(members=1, hidden=8, updates=0, batch_size=8, learning_rate=1e-3, seed=0)
    values = Values(5, 1, gamma=0.0, expectile=0.5, settings=settings)
    chain = a_chain()
    for net, biases in ((values._action_net, [4.0, 2.0]), (values._slow_net, [4.0, 2.0]), (values._state_net, [2.5])):
        for parameter in net.parameters():
            parameter.data.zero_()
        net.biases[-1].data[:, 0, 0] = torch.tensor(biases)
    values._freeze()
    np.testing.assert_allclose(values.action_values(chain.observation, chain.action), 3.0)
    rows = [torch.zeros(1, 8, size) for size in (5, 6, 5)]
    loss = values._loss(*rows, torch.full((1, 8), 3.0), torch.zeros(1, 8))
    assert float(loss.detach()) == pytest.approx(0.5 * (2.0 - 2.5) ** 2 + ((4.0 - 3.0) ** 2 + (2.0 - 3.0) ** 2) / 2)


@pytest.mark.parametrize("estimator", ["optimal", "potential"])
def test_nothing_is_expected_beyond_a_termination(estimator: str) -> None:
    source, target = two_processes(3)
    method, batch = method_with(estimator, source, lam=1.0), target.transitions()
    over = batch.select(batch.terminated)
    states, actions = over.observation.argmax(axis=1), over.action[:, 0].astype(int)
    q = source.solve()
    expected = q[states, actions] - over.reward if estimator == "optimal" else -q.max(axis=1)[states]
    np.testing.assert_allclose(method(over), expected, atol=1e-9)
