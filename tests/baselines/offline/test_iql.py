"""IQL: the losses of its three networks, by hand, and the rate of its policies."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.baselines.offline.conftest import FIRST, SECOND, write_dataset
from tests.baselines.offline.test_scripts import args_of, learnt
from transreward_baselines import iql
from transreward_baselines.offline import training
from transreward_baselines.offline.streams import Streams
from transreward_baselines.run_directory import RunDirectoryError, checkpoints
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


def steps_of_the_actor(monkeypatch: pytest.MonkeyPatch, **changes: object) -> np.ndarray:
    """Train, and return how far the actor's offsets moved with each gradient step, as a share of the rate."""
    seen: list[torch.Tensor] = []
    update = iql.IQL.update

    def watched(agent: iql.IQL, batch: object, step: int) -> dict[str, torch.Tensor]:
        weights = agent.networks["actor"].biases[-1]
        before = weights.detach().clone()
        figures = update(agent, batch, step)  # type: ignore[arg-type]
        seen.append((weights.detach() - before).abs().max())
        return figures

    args = args_of(iql, learning_rate=1e-2, beta=1e-6, **changes)
    with monkeypatch.context() as context:
        context.setattr(iql.IQL, "update", watched)
        iql.main(args)
    return np.array([float(moved) for moved in seen]) / args.learning_rate


def test_the_rate_of_the_policies_falls_by_a_cosine_offline_and_is_whole_in_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = steps_of_the_actor(monkeypatch, out=tmp_path / "run", decay=True, updates=20, finetune_steps=5)
    even = steps_of_the_actor(monkeypatch, out=tmp_path / "even", decay=False, updates=20, finetune_steps=5)
    shares = 0.5 * (1.0 + np.cos(np.pi * np.arange(20) / 20))
    np.testing.assert_allclose(moved[:4], shares[:4] * even[:4], rtol=0.05)
    assert (moved[:20] < 1.5 * shares).all(), "Adam moves a weight by its rate at most, or little more"
    assert moved[17:20].max() < 0.1 < moved[20:].max()
    assert even[17:20].max() > 0.1


def test_nothing_but_the_policies_learns_at_a_falling_rate() -> None:
    agent, _ = learnt(iql, 0, decay=True, updates=20)
    for step, share in ((0, 1.0), (10, 0.5), (20, 1.0)):
        agent.schedule(step)
        rates = {name: float(one.param_groups[0]["lr"]) for name, one in agent.optimizers.items()}
        assert rates == pytest.approx({"actor": share * 3e-4, "value": 3e-4, "critics": 3e-4})


def test_a_run_that_is_done_offline_goes_on_in_the_target_as_in_one_go(tmp_path: Path) -> None:
    args = args_of(iql, out=tmp_path / "parts", decay=True)
    iql.main(args)
    parts = iql.main(dataclasses.replace(args, finetune_steps=10))
    whole = iql.main(dataclasses.replace(args, out=tmp_path / "whole", finetune_steps=10))
    assert [row.return_mean for row in parts] == [row.return_mean for row in whole]
    first, second = (
        load_tensors(checkpoints(tmp_path / name)[-1] / "agent.safetensors")[0] for name in ("whole", "parts")
    )
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_runs_from_before_there_was_a_falling_rate_go_on_without_it(tmp_path: Path) -> None:
    args = args_of(iql, out=tmp_path / "run", decay=False)
    iql.main(args)
    path = tmp_path / "run" / "config.json"
    told = json.loads(path.read_text())
    del told["decay"]
    path.write_text(json.dumps(told))
    with pytest.raises(RunDirectoryError, match="decay: False there, True asked for"):
        iql.main(dataclasses.replace(args, decay=True))
    assert iql.main(dataclasses.replace(args, updates=30))[-1].update == 30


def test_a_run_with_a_falling_rate_goes_on_as_if_it_had_not_stopped_and_with_no_other_number_of_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = args_of(iql, out=tmp_path / "parts", decay=True)
    iql.main(dataclasses.replace(args, out=tmp_path / "whole"))
    with monkeypatch.context() as context:
        save = training._Training._save

        def killed(self: training._Training) -> None:
            save(self)
            raise KeyboardInterrupt

        context.setattr(training._Training, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            iql.main(args)
    with pytest.raises(RunDirectoryError, match="updates: 20 there, 30 asked for"):
        iql.main(dataclasses.replace(args, updates=30))
    iql.main(args)
    first, second = (
        load_tensors(checkpoints(tmp_path / name)[-1] / "agent.safetensors")[0] for name in ("whole", "parts")
    )
    assert [path.name for path in checkpoints(tmp_path / "parts")] == [
        path.name for path in checkpoints(tmp_path / "whole")
    ]
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
