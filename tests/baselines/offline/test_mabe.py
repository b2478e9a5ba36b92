"""MABE: whom its prior imitates, and what nearness to it does."""

import torch

from tests.baselines.offline.conftest import FIRST
from tests.baselines.offline.test_scripts import args_of, learnt
from transreward_baselines import mabe
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.gaussian import divergence
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.weights import advantage_weights

CPU = torch.device("cpu")


def test_weights_are_those_of_advantages_over_the_priors_own_actions() -> None:
    agent, data = learnt(mabe, 3, seeds=(0, 1), baseline_actions=3, beta=0.7)
    batch = data.rows(torch.arange(40).expand(2, -1))
    drawn = dict(agent.streams.drawn)
    found = agent.weights(batch)
    agent.streams.restore(drawn)
    own, _ = agent.prior.sample(batch.observations, agent.streams, "baseline", 3)
    low = [
        agent.values("target_critics", batch.observations, actions).amin(dim=1)
        for actions in (batch.actions, *own.chunk(3, dim=1))
    ]
    expected = advantage_weights(low[0] - torch.stack(low[1:]).mean(dim=0), 0.7)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_prior_follows_actions_that_pay_once_it_is_warm_and_all_alike_before() -> None:
    """Rewards are highest at 0.5; the data's mean is 0."""
    changes = {"seeds": (0, 1), "gamma": 0.0, "hidden": 32, "learning_rate": 3e-3}
    weighted, data = learnt(mabe, 300, warmup=100, beta=0.5, **changes)
    alike, _ = learnt(mabe, 300, warmup=1_000, **changes)
    seen = data.sample(Streams([5, 6], CPU), 100).observations
    first, second = (agent.prior.mean_action(seen).mean(dim=(1, 2)) for agent in (weighted, alike))
    assert (first > second + 0.15).all()
    assert (second.abs() < 0.2).all()


def distance(alpha: float, warmup: int = 5) -> float:
    agent, data = learnt(mabe, 200, alpha=alpha, warmup=warmup, gamma=0.0, learning_rate=3e-3)
    seen = data.sample(Streams([5], CPU), 200).observations
    return divergence(agent.actor, agent.prior, seen).mean().item()


def test_a_heavier_weight_keeps_policies_nearer_to_the_prior_and_until_warm_they_follow_it() -> None:
    assert distance(10.0) < 0.2 * distance(0.01)
    assert distance(1.0, warmup=1_000) < 0.1


def test_models_are_not_asked_how_unsure_they_are_unless_told_to() -> None:
    paid = []
    for penalty in (0.0, 1.0):
        args = args_of(mabe, penalty=penalty)
        data, streams = OfflineData([FIRST], device=CPU), Streams([0], CPU)
        agent = mabe.MABE(args, data, streams)
        agent.prepare(None)
        agent.update(data.sample(streams, 32), 0)
        paid.append(agent.models.imagined.rows[..., 5].mean())
    assert paid[1] < paid[0] - 1.0
