"""Conservative Q-learning: the penalty, its estimate and what it does to values."""

import math
from typing import Any

import torch

from tests.baselines.offline.conftest import FIRST, PAIR
from transreward_baselines.cql import CQL, Args
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")


def make_agent(**changes: Any) -> tuple[CQL, OfflineData, Streams]:
    args = Args(**{"pair": PAIR, "data": (FIRST,), "seeds": (0, 1), "hidden": 32, "layers": 2, **changes})
    data, streams = OfflineData([FIRST] * 2, device=CPU), Streams([0, 1], CPU)
    return CQL(args, data, streams), data, streams


def set_policies(agent: CQL, *raw: float) -> None:
    """Give each run's policy the mean 0 and one deviation everywhere; 0.42 makes the squashed law nearly uniform."""
    with torch.no_grad():
        agent.actor.network.weights[-1].zero_()
        for run, value in enumerate(raw):
            agent.actor.network.biases[-1][run, 0] = torch.tensor([0.0, value])


def narrow(batch: Batch) -> Batch:
    """Return the batch as one whose actions are those of a cautious policy, near 0."""
    return Batch(**{**{name: getattr(batch, name) for name in Batch.__slots__}, "actions": 0.1 * batch.actions})


def test_the_soft_maximum_is_the_log_integral_of_exp_values_over_all_actions() -> None:
    agent, data, streams = make_agent(draws=1_000)
    set_policies(agent, 0.42, 0.42)
    with torch.no_grad():
        for weight in agent.networks["critics"].weights:
            weight.mul_(2.0)  # values of different actions differ by 1 or so
    batch = data.sample(streams, 4)
    grid = torch.linspace(-1.0, 1.0, 2_001)
    inputs = batch.observations.repeat_interleave(len(grid), dim=1)
    values = agent.values("critics", inputs, grid.repeat(4)[None, :, None].expand(2, -1, -1)).unflatten(2, (4, -1))
    assert (values.amax(dim=3) - values.amin(dim=3)).max() > 0.3
    exact = torch.trapezoid(values.exp(), grid, dim=3).log()
    torch.testing.assert_close(agent.soft_maxima(batch), exact, atol=0.05, rtol=0.0)


def test_the_soft_maximum_of_a_constant_is_it_and_the_logarithm_of_the_boxs_volume() -> None:
    agent, data, streams = make_agent(draws=5_000)
    set_policies(agent, 0.42, 0.42)
    with torch.no_grad():
        agent.networks["critics"].weights[-1].zero_()
        agent.networks["critics"].biases[-1].fill_(3.0)
    found = agent.soft_maxima(data.sample(streams, 4))
    torch.testing.assert_close(found, torch.full((2, 2, 4), 3.0 + math.log(2.0)), atol=0.05, rtol=0.0)


def test_no_gradient_of_the_penalty_reaches_the_actors() -> None:
    agent, data, streams = make_agent()
    agent.soft_maxima(data.sample(streams, 8)).sum().backward()
    assert all(weight.grad is None for weight in agent.actor.parameters())
    assert all(weight.grad is not None for weight in agent.networks["critics"].parameters())


def unseen_minus_seen(alpha: float) -> torch.Tensor:
    """Return by how much values of actions far from the data exceed those of the data's own, as ``(R,)``."""
    agent, data, streams = make_agent(alpha=alpha, gamma=0.0, learning_rate=3e-3, draws=4)
    for step in range(100):
        agent.update(narrow(data.sample(streams, 64)), step)
    batch = narrow(data.sample(streams, 256))
    seen, unseen = (
        agent.values("critics", batch.observations, actions).mean(dim=(1, 2))
        for actions in (batch.actions, torch.full_like(batch.actions, -0.9))
    )
    return (unseen - seen).detach()


def test_the_penalty_lowers_values_of_actions_that_are_not_in_the_data() -> None:
    assert (unseen_minus_seen(10.0) < unseen_minus_seen(0.0) - 1.0).all()


def test_temperatures_rise_where_policies_are_more_certain_than_the_target_entropy_says_and_fall_elsewhere() -> None:
    agent, data, streams = make_agent(policy_learning_rate=3e-3)
    set_policies(agent, -5.0, 0.42)
    agent.update(data.sample(streams, 64), 0)
    first, second = agent.log_temperature.tolist()
    assert first > 0.0 > second
