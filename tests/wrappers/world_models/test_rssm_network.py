"""What agents that learn in imagination ask of a recurrent network: its states, its draws, its rewards and ends."""

import math

import pytest
import torch

from transreward_wrappers.world_models.rssm_network import RSSMNetwork
from transreward_wrappers.world_models.rssm_settings import RSSMSettings
from transreward_wrappers.world_models.windows import Windows

SIZES = {"belief": 8, "stochastic": 3, "hidden": 16}


def network(*, reward: bool = True) -> RSSMNetwork:
    torch.manual_seed(0)
    return RSSMNetwork(2, 1, RSSMSettings(**SIZES, reward=reward))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_states_of_runs_end_in_those_that_are_inferred() -> None:
    net, observations, actions = network(), noise(4, 6, 2), noise(4, 5, 1)
    states = net.states(observations, actions)
    assert states.shape == (4, 6, net.state_size)
    torch.testing.assert_close(states[:, -1], net.infer(observations, actions))
    torch.testing.assert_close(states[:, 0], net.infer(observations[:, :1], None))
    torch.testing.assert_close(states[:, 1:, :8], net.beliefs(observations, actions))


def test_drawn_steps_lie_around_those_by_means() -> None:
    net, generator = network(), torch.Generator().manual_seed(2)
    states, actions = noise(1, net.state_size), noise(1, 1)
    with torch.no_grad():
        mean = net.step(states, actions)
        drawn = net.step(states.expand(4_000, -1), actions.expand(4_000, -1), generator)
    torch.testing.assert_close(drawn[:, :8], mean[:, :8].expand(4_000, -1))
    torch.testing.assert_close(drawn.mean(dim=0, keepdim=True), mean, atol=0.05, rtol=0.0)
    assert float(drawn[:, 8:].std(dim=0).min()) > 0.02


def test_gradients_go_back_through_steps_to_actions() -> None:
    net = network()
    actions = [noise(3, 1).requires_grad_() for _ in range(3)]
    states = torch.zeros(3, net.state_size)
    for action in actions:
        states = net.step(states, action, torch.Generator().manual_seed(3))
    rewards, _ = net.outcomes(states)
    gradients = torch.autograd.grad(rewards.sum(), actions)
    assert all(float(gradient.abs().min()) > 0.0 for gradient in gradients)


def test_rewards_and_ends_are_learnt_in_their_own_units() -> None:
    net, generator = network(), torch.Generator().manual_seed(4)
    net.reward_mean.fill_(50.0)
    net.reward_std.fill_(10.0)
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)
    observations = noise(32, 7, 2)
    ends = observations[:, 1:, 1] > 1.0
    windows = Windows(
        observations=observations,
        actions=torch.zeros(32, 6, 1),
        rewards=50.0 + 10.0 * observations[:, 1:, 0],
        terminated=ends,
        mask=torch.ones(32, 6),
    )
    for _ in range(200):
        adam.zero_grad()
        net.loss(windows, generator).backward()
        adam.step()
    with torch.no_grad():
        states = net.states(observations, windows.actions)[:, 1:]
        rewards, goes_on = net.outcomes(states)
    assert torch.equal(rewards, net.rewards(states).detach())
    assert torch.equal(goes_on, net.continues(states).detach())
    assert float((rewards - windows.rewards).abs().mean()) < 2.0
    assert float(goes_on[ends].mean()) < 0.3
    assert float(goes_on[~ends].mean()) > 0.9


def test_a_model_without_rewards_says_so() -> None:
    net = network(reward=False)
    for ask in (net.rewards, net.continues, net.outcomes):
        with pytest.raises(ValueError, match="Rewards and ends of the task are predicted by a model that was"):
            ask(torch.zeros(1, net.state_size))
    assert math.prod(net.states(noise(2, 3, 2), noise(2, 2, 1)).shape) == 2 * 3 * net.state_size
