"""What is believed of a task: a product of Gaussians, in any order of what was seen."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transreward_baselines.meta.encoder import ContextEncoder, Posterior, prior, product


@given(count=st.integers(1, 7), seed=st.integers(0, 1_000))
def test_the_posterior_is_the_product_of_gaussians_in_closed_form(count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    variances = torch.rand(2, count, 3, generator=generator, dtype=torch.float64) + 0.1
    found = product(means, variances)
    grid = torch.linspace(-12.0, 12.0, 2_001, dtype=torch.float64)[:, None, None, None]
    log = (-0.5 * (grid - means) ** 2 / variances).sum(dim=-2)  # each factor's density on a grid, multiplied
    density = (log - log.amax(dim=0)).exp()
    density /= density.sum(dim=0)
    mean = (density * grid[..., 0]).sum(dim=0)
    assert torch.allclose(found.mean, mean, atol=1e-6)
    assert torch.allclose(found.variance, (density * (grid[..., 0] - mean) ** 2).sum(dim=0), atol=1e-6)


def test_the_order_of_transitions_does_not_matter() -> None:
    torch.manual_seed(0)
    encoder, context = ContextEncoder(6, 16, 4), torch.randn(3, 20, 6, generator=torch.Generator().manual_seed(0))
    belief = encoder(context)
    for _ in range(3):
        again = encoder(context[:, torch.randperm(20)])
        assert torch.allclose(again.mean, belief.mean, atol=1e-5)
        assert torch.allclose(again.variance, belief.variance, rtol=1e-4)
    assert not torch.allclose(encoder(context + 0.1).mean, belief.mean, atol=1e-3)


def test_what_a_mask_hides_is_not_seen() -> None:
    torch.manual_seed(0)
    encoder, context = ContextEncoder(6, 16, 4), torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(9) < torch.tensor([[4], [9]])
    masked, short = encoder(context, mask), encoder(context[:1, :4])
    assert torch.allclose(masked.mean[0], short.mean[0], atol=1e-6)
    assert torch.allclose(masked.variance[1], encoder(context).variance[1])


def test_more_transitions_make_surer() -> None:
    torch.manual_seed(0)
    encoder, context = ContextEncoder(6, 16, 4), torch.randn(1, 40, 6, generator=torch.Generator().manual_seed(0))
    assert (encoder(context).variance < encoder(context[:, :10]).variance).all()


def test_the_divergence_is_that_of_gaussians() -> None:
    belief = Posterior(mean=torch.tensor([[0.5, -1.0]]), variance=torch.tensor([[0.25, 2.0]]))
    laws = torch.distributions.Normal(belief.mean, belief.variance.sqrt()), torch.distributions.Normal(0.0, 1.0)
    assert belief.divergence().item() == pytest.approx(torch.distributions.kl_divergence(*laws).sum().item(), rel=1e-6)
    assert prior(2, 3, torch.device("cpu")).divergence().tolist() == [0.0, 0.0]


def test_draws_have_the_posteriors_moments() -> None:
    belief = Posterior(mean=torch.full((20_000, 1), 2.0), variance=torch.full((20_000, 1), 9.0))
    drawn = belief.sample(torch.Generator().manual_seed(0)).numpy()
    assert np.mean(drawn) == pytest.approx(2.0, abs=0.1)
    assert np.std(drawn) == pytest.approx(3.0, abs=0.1)
