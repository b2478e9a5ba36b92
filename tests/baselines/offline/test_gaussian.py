"""Squashed Gaussian policies of many runs: their densities are those of torch.distributions."""

import pytest
import torch
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from transreward_baselines.offline.gaussian import EDGE, SquashedGaussian
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")
SEEN = 0.5 * torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def policy() -> SquashedGaussian:
    return SquashedGaussian([3, 4], [4, 16, 3], name="actor")


def reference(policy: SquashedGaussian, observations: torch.Tensor) -> TransformedDistribution:
    means, log_std = policy.law(observations)
    return TransformedDistribution(Independent(Normal(means, log_std.exp()), 1), [TanhTransform()])


def test_log_densities_are_those_of_a_normal_law_under_tanh(policy: SquashedGaussian) -> None:
    actions = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(1)) * 1.9 - 0.95
    found = policy.log_density(SEEN, actions)
    torch.testing.assert_close(found, reference(policy, SEEN).log_prob(actions), rtol=1e-4, atol=1e-4)


def test_drawn_actions_come_with_their_own_log_densities_draw_after_draw(policy: SquashedGaussian) -> None:
    actions, log_densities = policy.sample(SEEN, Streams([3, 4], CPU), "draw", count=7)
    assert actions.shape == (2, 35, 3)
    assert log_densities.shape == (2, 35)
    torch.testing.assert_close(policy.log_density(SEEN.repeat(1, 7, 1), actions), log_densities, rtol=1e-3, atol=1e-3)


def test_draws_have_the_mean_and_deviation_that_the_law_says(policy: SquashedGaussian) -> None:
    actions, _ = policy.sample(SEEN, Streams([3, 4], CPU), "draw", count=20_000)
    before = actions.double().atanh().unflatten(1, (20_000, 5))
    means, log_std = policy.law(SEEN)
    torch.testing.assert_close(before.mean(dim=1).float(), means, rtol=0.02, atol=0.02)
    torch.testing.assert_close(before.std(dim=1).float(), log_std.exp(), rtol=0.02, atol=0.0)
    torch.testing.assert_close(policy.mean_action(SEEN), means.tanh())


def test_a_density_sums_to_one_over_the_box() -> None:
    policy = SquashedGaussian([0, 1], [4, 16, 1], name="actor")
    grid = torch.linspace(-1.0 + EDGE, 1.0 - EDGE, 20_001)
    found = policy.log_density(SEEN[:, :1].expand(-1, 20_001, -1), grid[None, :, None].expand(2, -1, -1))
    torch.testing.assert_close(torch.trapezoid(found.exp(), grid), torch.ones(2), rtol=1e-3, atol=0.0)


def test_densities_and_gradients_are_finite_at_the_sides_of_the_box(policy: SquashedGaussian) -> None:
    found = policy.log_density(SEEN, torch.ones(2, 5, 3))
    found.sum().backward()
    assert found.isfinite().all()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in policy.parameters())


def test_a_policy_draws_among_others_what_it_draws_alone(policy: SquashedGaussian) -> None:
    together = policy.sample(SEEN, Streams([3, 4], CPU), "draw", count=2)
    alone = SquashedGaussian([4], [4, 16, 3], name="actor").sample(SEEN[1:], Streams([4], CPU), "draw", count=2)
    for first, second in zip(together, alone, strict=True):
        torch.testing.assert_close(first[1], second[0])
