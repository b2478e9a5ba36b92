"""BCQ: where its actions may lie, and what its critics learn from."""

import torch

from tests.baselines.offline.conftest import FIRST, SECOND
from tests.baselines.offline.test_scripts import args_of, learnt
from transreward_baselines import bcq
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")


def samples(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_actions_stay_within_phi_of_decoded_ones_and_in_the_box() -> None:
    agent, _ = learnt(bcq, 30, phi=0.1, learning_rate=3e-2)
    seen, noise = samples(0, 1, 50, 4), samples(1, 1, 50, agent.vae.latent)
    decoded = agent.vae.sample(seen, noise).tanh()
    moved = agent.sample("perturbation", seen, noise)
    assert 0.05 < (moved - decoded).abs().max() <= 0.1 + 1e-6
    assert moved.abs().max() <= 1.0


def test_the_policy_takes_the_action_that_the_first_critic_values_most() -> None:
    agent, _ = learnt(bcq, 10, data=(FIRST, SECOND), seeds=(0, 1))
    seen = samples(2, 4, 3, 4)
    latents = agent._acting_noise
    for run, observation in ((0, 0), (3, 2)):
        one = seen[:, observation : observation + 1].expand(-1, latents.shape[1], -1)
        actions = agent.sample("perturbation", one, latents)
        values = agent.values("critics", one, actions)[run, 0]
        torch.testing.assert_close(agent.act(seen)[run, observation], actions[run, values.argmax()])


def test_acting_takes_no_numbers_from_training_and_is_the_same_each_time() -> None:
    agent, _ = learnt(bcq, 3)
    drawn, seen = dict(agent.streams.drawn), samples(3, 1, 5, 4)
    first = agent.act(seen)
    torch.testing.assert_close(agent.act(seen[:, :2]), first[:, :2])
    assert agent.streams.drawn == drawn


def test_targets_are_those_of_a_loop_over_sampled_actions() -> None:
    args = args_of(bcq, gamma=0.9, target_actions=3, batch_size=6)
    data, streams = OfflineData([FIRST], device=CPU), Streams([0], CPU)
    agent = bcq.BCQ(args, data, streams)
    batch = data.rows(torch.arange(6)[None])
    noise = Streams([0], CPU).normal("target noise", 18, agent.vae.latent)
    found = agent._targets(batch)
    for row in range(6):
        best = -torch.inf
        for draw in range(3):
            seen = batch.next_observations[:, row : row + 1]
            action = agent.sample("target_perturbation", seen, noise[:, 6 * draw + row][:, None])
            low, high = agent.values("target_critics", seen, action).flatten().sort().values
            best = max(best, (0.75 * low + 0.25 * high).item())
        expected = batch.rewards[0, row] + 0.9 * batch.bootstrap[0, row] * best
        torch.testing.assert_close(found[0, row], expected)
