"""The reward for an agent: Q-learning on it, from the source's transitions, finds what is best in the target."""

from dataclasses import replace

import numpy as np
import pytest

from tests.wrappers.enumerated import Process
from transreward_wrappers.drae import DynamicsRatio, Trajectories, added_reward

SEEDS = range(4)


def pair_of_processes(seed: int) -> tuple[Process, Process]:
    """Return a source and a target with the same rewards."""
    source, target = (Process.random(np.random.default_rng(2 * seed + index)) for index in range(2))
    return replace(source, rewards=target.rewards), target


def paid(source: Process, target: Process, q: np.ndarray, *, power: float = 1.0) -> np.ndarray:
    """Return the rewards r' of all transitions, as ``(S - 1, A, S)``, with values Q and V = max Q."""
    ratio = ((target.law / source.law) ** power).ravel()
    states, actions, following = (part.ravel() for part in np.indices(source.law.shape))
    v = np.append(q.max(axis=1), 55.0)  # what V says of the terminal state does not count
    alone = np.ones(len(states), dtype=bool)
    steps = Trajectories(
        reward=source.rewards[states, actions],
        value=v[states],
        next_value=v[following],
        terminated=following == source.law.shape[2] - 1,
        ends=alone,
    )
    ratio = DynamicsRatio(low=ratio, high=ratio)
    added = added_reward(steps, q[states, actions], gamma=source.gamma, ratio=ratio)
    return (steps.reward + added).reshape(source.law.shape)


@pytest.mark.parametrize("seed", SEEDS)
def test_its_optimum_in_the_source_is_that_of_the_target(seed: int) -> None:
    source, target = pair_of_processes(seed)
    best = target.solve()
    np.testing.assert_allclose(source.solve(paid(source, target, best)), best, atol=1e-9)
    assert np.abs(source.solve() - best).max() > 0.1
    for wrong in (-1.0, 0.5):
        assert np.abs(source.solve(paid(source, target, best, power=wrong)) - best).max() > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_values_that_are_learned_alongside_end_there_too(seed: int) -> None:
    source, target = pair_of_processes(seed)
    q = np.zeros_like(target.rewards)
    for _ in range(300):
        v = np.append(q.max(axis=1), 0.0)
        q = (source.law * (paid(source, target, q) + source.gamma * v)).sum(axis=2)
    np.testing.assert_allclose(q, target.solve(), atol=1e-9)


def test_q_learning_from_source_samples_finds_the_targets_optimal_policy() -> None:
    source, target = pair_of_processes(1)
    source = replace(source, law=0.7 * source.law + 0.3 * target.law)  # so that no transition weighs above 10 / 3
    best, misled = target.solve(), source.solve()
    assert not np.array_equal(misled.argmax(axis=1), best.argmax(axis=1))
    own = np.broadcast_to(source.rewards[..., None], source.law.shape)
    for rewards, goal in ((paid(source, target, best), best), (own, misled)):
        learned = q_learning(source, rewards, visits=5_000)
        assert np.array_equal(learned.argmax(axis=1), goal.argmax(axis=1))
        assert np.abs(learned - goal).max() < 0.2 * np.abs(best - misled).max()


def q_learning(source: Process, rewards: np.ndarray, *, visits: int) -> np.ndarray:
    """Return Q after so many visits of every state and action, with steps of size ``1 / n^0.8``."""
    generator = np.random.default_rng(0)
    q = np.zeros(source.rewards.shape)
    cumulative = source.law.cumsum(axis=2)
    states, actions = np.indices(q.shape)
    for count in range(1, visits + 1):
        following = (generator.random((*q.shape, 1)) > cumulative).sum(axis=2)
        v = np.append(q.max(axis=1), 0.0)
        goal = rewards[states, actions, following] + source.gamma * v[following]
        q += (goal - q) / count**0.8
    return q
