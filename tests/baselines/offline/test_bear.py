"""BEAR: its discrepancy against a loop, and the multipliers that hold it."""

import math

import pytest
import torch

from tests.baselines.offline.conftest import FIRST, SECOND
from tests.baselines.offline.test_scripts import args_of, learnt
from transreward_baselines import bear
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")

every_kernel = pytest.mark.parametrize("kernel", bear.KERNELS)


def samples(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def looped(first: torch.Tensor, second: torch.Tensor, kernel: str, width: float) -> float:
    """Return the squared discrepancy of ``(N, A)`` and ``(M, A)``, pair by pair."""

    def mean(one: list[list[float]], other: list[list[float]]) -> float:
        total = 0.0
        for u in one:
            for v in other:
                power = 1 if kernel == "laplacian" else 2
                total += math.exp(-sum(abs(a - b) ** power for a, b in zip(u, v, strict=True)) / (2.0 * width))
        return total / (len(one) * len(other))

    one, other = first.tolist(), second.tolist()
    return mean(one, one) + mean(other, other) - 2.0 * mean(one, other)


@every_kernel
def test_the_discrepancy_of_equal_samples_is_zero_and_of_others_positive(kernel: str) -> None:
    first, second = samples(0, 2, 4, 7, 3), samples(1, 2, 4, 7, 3)
    assert bear.squared_discrepancy(first, first, kernel, 2.0).abs().max() < 1e-6
    mixed = first[:, [2, 0, 3, 1]]
    assert bear.squared_discrepancy(first, mixed, kernel, 2.0).abs().max() < 1e-6
    assert bear.squared_discrepancy(first, second, kernel, 2.0).min() > 1e-3
    near = bear.squared_discrepancy(first, first + 0.5, kernel, 2.0)
    assert (near < bear.squared_discrepancy(first, first + 2.0, kernel, 2.0)).all()


@every_kernel
def test_the_discrepancy_is_that_of_a_loop_over_pairs(kernel: str) -> None:
    first, second = samples(0, 2, 4, 3, 2), samples(1, 2, 5, 3, 2)
    found = bear.squared_discrepancy(first, second, kernel, 1.5)
    for run in range(2):
        for row in range(3):
            expected = looped(first[run, :, row], second[run, :, row], kernel, 1.5)
            assert found[run, row].item() == pytest.approx(expected, abs=1e-6)


def test_multipliers_grow_where_the_bound_is_broken_and_shrink_where_it_holds() -> None:
    tight, _ = learnt(bear, 10, threshold=1e-4, data=(FIRST, SECOND))
    loose, _ = learnt(bear, 10, threshold=10.0, data=(FIRST, SECOND))
    assert (tight.log_multiplier > 0.0).all()
    assert (loose.log_multiplier < 0.0).all()


def test_multipliers_stay_within_their_limits() -> None:
    low, high = bear.LOG_MULTIPLIER_LIMITS
    for threshold, limit in ((1e-4, high), (10.0, low)):
        agent, _ = learnt(bear, 4, threshold=threshold, multiplier_rate=20.0)
        assert agent.log_multiplier.item() == limit


def test_until_the_warmup_ends_values_do_not_move_the_policy() -> None:
    """Rewards change what critics learn, and so the policy once it looks at them."""
    for warmup, same in ((8, True), (4, False)):
        agents = []
        for scale in (1.0, 100.0):
            args = args_of(bear, warmup=warmup, learning_rate=1e-2)
            data, streams = OfflineData([FIRST], device=CPU), Streams([0], CPU)
            data.arrays["rewards"] *= scale
            agents.append(bear.BEAR(args, data, streams))
            for step in range(8):
                agents[-1].update(data.sample(streams, 32), step)
        means = [agent.policy.mean_action(samples(5, 1, 9, 4)) for agent in agents]
        assert torch.equal(*means) is same


def test_acting_takes_no_numbers_from_training_and_is_the_same_each_time() -> None:
    agent, _ = learnt(bear, 3)
    drawn, seen = dict(agent.streams.drawn), samples(3, 1, 5, 4)
    first = agent.act(seen)
    torch.testing.assert_close(agent.act(seen[:, :2]), first[:, :2])
    assert agent.streams.drawn == drawn


def test_the_policy_takes_the_action_that_the_first_critic_values_most() -> None:
    agent, _ = learnt(bear, 10)
    seen, noise = samples(3, 1, 5, 4), agent._acting_noise
    means, log_std = agent.policy.law(seen)
    actions = torch.tanh(means + log_std.exp() * noise[0, :, None, None])[:, 0]  # (10, 5, 1)
    values = agent.values("critics", seen.expand(1, -1, -1).repeat(1, 10, 1), actions.flatten(0, 1)[None])[0, 0]
    best = values.view(10, 5).argmax(dim=0)
    torch.testing.assert_close(agent.act(seen)[0], actions[best, torch.arange(5)])


def test_targets_are_those_of_a_loop_over_sampled_actions() -> None:
    args = args_of(bear, gamma=0.9, target_actions=3, batch_size=6)
    data, streams = OfflineData([FIRST], device=CPU), Streams([0], CPU)
    agent = bear.BEAR(args, data, streams)
    batch = data.rows(torch.arange(6)[None])
    noise = Streams([0], CPU).normal("target noise", 18, 1)
    found = agent._targets(batch)
    for row in range(6):
        best = -torch.inf
        seen = batch.next_observations[:, row : row + 1]
        means, log_std = agent.target_policy.law(seen)
        for draw in range(3):
            action = torch.tanh(means + log_std.exp() * noise[:, 6 * draw + row])
            low, high = agent.values("target_critics", seen, action).flatten().sort().values
            best = max(best, (0.75 * low + 0.25 * high).item())
        expected = batch.rewards[0, row] + 0.9 * batch.bootstrap[0, row] * best
        torch.testing.assert_close(found[0, row], expected)
