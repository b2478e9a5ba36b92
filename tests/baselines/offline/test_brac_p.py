"""BRAC-p: the divergence from the data's policy, and what it does."""

import torch
from torch.distributions import Independent, Normal, kl_divergence

from tests.baselines.offline.conftest import FIRST, PAIR
from transreward_baselines.brac_p import BRACP, Args
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.gaussian import SquashedGaussian, divergence
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")
SEEDS = [3, 4]
SEEN = 0.5 * torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))


def policies() -> tuple[SquashedGaussian, SquashedGaussian]:
    first, second = (SquashedGaussian(SEEDS, [4, 16, 3], name=name) for name in ("actor", "clone"))
    return first, second


def law(policy: SquashedGaussian) -> Independent:
    means, log_std = policy.law(SEEN)
    return Independent(Normal(means, log_std.exp()), 1)


def trained(steps: int, **changes: float) -> tuple[BRACP, torch.Tensor]:
    """Return an agent after some steps, and its divergence from the clone, as ``(R,)``."""
    small = {"pair": PAIR, "data": (FIRST,), "seeds": (0, 1), "hidden": 32, "gamma": 0.0, "learning_rate": 3e-3}
    args = Args(**{**small, "policy_learning_rate": 3e-3, **changes})  # type: ignore[arg-type]
    data, streams = OfflineData([FIRST] * 2, device=CPU), Streams([0, 1], CPU)
    agent = BRACP(args, data, streams)
    for step in range(steps):
        agent.update(data.sample(streams, 64), step)
    seen = data.sample(streams, 256).observations
    return agent, divergence(agent.actor, agent.clone, seen).mean(dim=1).detach()


def test_the_divergence_is_zero_where_both_policies_are_the_same() -> None:
    policy, other = policies()
    other.load_state_dict(policy.state_dict())
    found = divergence(policy, other, SEEN)
    torch.testing.assert_close(found, torch.zeros(2, 5), atol=1e-6, rtol=0.0)


def test_the_divergence_is_that_of_normal_laws_and_of_drawn_log_densities() -> None:
    policy, other = policies()
    found = divergence(policy, other, SEEN)
    assert (found > 0.0).all()
    torch.testing.assert_close(found, kl_divergence(law(policy), law(other)))
    actions, log_densities = policy.sample(SEEN, Streams(SEEDS, CPU), "draw", count=5_000)
    ratios = log_densities - other.log_density(SEEN.repeat(1, 5_000, 1), actions)
    torch.testing.assert_close(ratios.unflatten(1, (5_000, 5)).mean(dim=1), found, rtol=0.1, atol=0.05)


def test_the_divergence_moves_the_policy_alone() -> None:
    policy, other = policies()
    divergence(policy, other, SEEN).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0.0 for weight in policy.parameters())
    assert all(weight.grad is None for weight in other.parameters())


def test_clones_learn_the_data_policys_mean_and_actors_that_warmup_follow_them() -> None:
    agent, distance = trained(200, warmup=1_000)
    assert (distance < 0.05).all()
    actions = agent.clone.mean_action(torch.zeros(2, 1, 4))
    assert (actions.abs() < 0.3).all(), "the data's actions are uniform in the box"


def test_a_heavier_penalty_keeps_policies_nearer_to_the_data() -> None:
    (_, light), (_, heavy) = trained(150, warmup=0, alpha=0.1), trained(150, warmup=0, alpha=10.0)
    assert (heavy < 0.2 * light).all()
