"""TD3+BC: what the critics are to learn."""

import torch

from tests.baselines.offline.test_scripts import learnt
from transreward_baselines import td3_bc
from transreward_baselines.offline.streams import Streams


def test_critics_learn_from_the_lower_target_and_nothing_beyond_an_end() -> None:
    agent, data = learnt(td3_bc, 30, policy_noise=0.0, learning_rate=3e-3)
    batch = data.sample(Streams([7], torch.device("cpu")), 400)
    actions = torch.tanh(agent.networks["target_actor"](batch.next_observations))
    both = agent.values("target_critics", batch.next_observations, actions)
    lower = torch.minimum(both[:, 0], both[:, 1])
    targets = agent._targets(batch)
    torch.testing.assert_close(targets, batch.rewards + 0.99 * lower * batch.bootstrap)
    over = batch.bootstrap == 0.0
    assert over.any()
    assert torch.equal(targets[over], batch.rewards[over])
    assert (both[:, 0] - both[:, 1]).abs().max() > 1e-3


def test_noise_on_target_actions_is_clipped() -> None:
    agent, data = learnt(td3_bc, 1, policy_noise=1e6, noise_clip=0.0)
    calm, _ = learnt(td3_bc, 1, policy_noise=0.0)
    batch = data.sample(Streams([7], torch.device("cpu")), 50)
    torch.testing.assert_close(agent._targets(batch), calm._targets(batch))
