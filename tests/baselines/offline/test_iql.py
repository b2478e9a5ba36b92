"""IQL: the losses of its three networks, by hand."""

import torch

from tests.baselines.offline.test_scripts import learnt
from transreward_baselines import iql
from transreward_baselines.offline.streams import Streams


def test_the_losses_are_those_of_the_paper() -> None:
    agent, data = learnt(iql, 30, expectile=0.9, beta=2.0, learning_rate=3e-3)
    batch = data.sample(Streams([7], torch.device("cpu")), 400)
    pairs = torch.cat([batch.observations, batch.actions], dim=-1)
    with torch.no_grad():
        judged = agent.networks["target_critics"](pairs)[..., 0].amin(dim=1)
        values, following = (
            agent.networks["value"](seen)[..., 0] for seen in (batch.observations, batch.next_observations)
        )
        advantages = judged - values
        targets = batch.rewards + 0.99 * batch.bootstrap * following
        errors = agent.networks["critics"](pairs)[..., 0] - targets[:, None]
        law = torch.distributions.Normal(agent.act(batch.observations), agent.log_std.exp())
        log_density = (law.log_prob(batch.actions) + 0.5 * torch.log(torch.tensor(2.0 * torch.pi))).sum(dim=-1)
    above, below = advantages.clamp(min=0.0), advantages.clamp(max=0.0)
    assert above.any()
    assert below.any()
    expected = {
        "value": (0.9 * above**2 + 0.1 * below**2).mean(),
        "actor": -((2.0 * advantages).exp().clamp(max=100.0) * log_density).mean(),
        "critics": errors.square().mean(),
    }
    found = agent.update(batch, 30)
    for name, loss in expected.items():
        torch.testing.assert_close(found[name][0], loss, rtol=1e-4, atol=1e-5)
