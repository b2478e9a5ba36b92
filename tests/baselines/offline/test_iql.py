"""IQL: the losses of its three networks, by hand."""

from pathlib import Path

import pytest
import torch

from tests.baselines.offline.conftest import FIRST, SECOND, write_dataset
from tests.baselines.offline.test_scripts import args_of, learnt
from transreward_baselines import iql
from transreward_baselines.offline.streams import Streams
from transreward_baselines.run_directory import checkpoints
from transreward_wrappers.datasets import load_dataset
from transreward_wrappers.storage import load_tensors


def span(*names: str) -> float:
    episodes = [episode for name in names for episode in load_dataset(name).episodes()]
    longest = max(len(episode.rewards) for episode in episodes)
    whole = [episode for episode in episodes if episode.terminated or len(episode.rewards) == longest]
    assert 1 < len(whole) < len(episodes), "some are cut short"
    returns = [episode.rewards.sum() for episode in whole]
    return float(max(returns) - min(returns))


def test_rewards_are_scaled_by_the_returns_of_each_runs_own_data_and_stay_so_in_others(tmp_path: Path) -> None:
    both = f"{FIRST}+{SECOND}"
    args = args_of(iql, data=(FIRST, both), seeds=(0, 1), out=tmp_path / "begun", updates=10)
    iql.main(args)
    first, joined = [1_000.0 / span(FIRST)], [1_000.0 / span(FIRST, SECOND)]

    def scales(directory: Path) -> torch.Tensor:
        return load_tensors(checkpoints(directory)[-1] / "agent.safetensors")[0]["networks.reward_scale"]

    torch.testing.assert_close(scales(args.out), torch.tensor([first, first, joined, joined]))
    iql.main(args_of(iql, data=(SECOND, both), seeds=(0, 1), out=tmp_path / "after", updates=10, start=args.out))
    torch.testing.assert_close(scales(tmp_path / "after"), scales(args.out))


def test_rewards_are_taken_as_they_are_where_that_is_asked_for_or_returns_are_equal(datasets: Path) -> None:
    agent, _ = learnt(iql, 1, return_span=None)
    assert agent.networks.get_buffer("reward_scale").tolist() == [[1.0]]
    write_dataset(datasets, "tests/pendulum/idle-v0", reward=0.0)
    agent, _ = learnt(iql, 1, data=("tests/pendulum/idle-v0",))
    assert agent.networks.get_buffer("reward_scale").tolist() == [[1.0]]
    with pytest.raises(ValueError, match="`return_span` must be"):
        args_of(iql, return_span=0.0)


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
        targets = 1_000.0 / span(FIRST) * batch.rewards + 0.99 * batch.bootstrap * following
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
