"""MOPO: what its critics learn, what its temperatures do, and that its models are fitted once."""

from pathlib import Path

import pytest
import torch

from tests.baselines.offline.conftest import FIRST, SECOND
from tests.baselines.offline.test_scripts import args_of, learnt
from transreward_baselines import mopo
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.fitting import Fit
from transreward_baselines.offline.model_based import FILE
from transreward_baselines.offline.streams import Streams

CPU = torch.device("cpu")


def test_targets_are_those_of_a_soft_policy_and_nothing_beyond_an_end() -> None:
    agent, data = learnt(mopo, 3, gamma=0.9, seeds=(0, 1))
    batch = data.rows(torch.arange(len(data.arrays["rewards"])).expand(2, -1))
    drawn = dict(agent.streams.drawn)
    found = agent._targets(batch)
    agent.streams.restore(drawn)
    actions, log_densities = agent.actor.sample(batch.next_observations, agent.streams, "target")
    low = agent.values("target_critics", batch.next_observations, actions).amin(dim=1)
    temperature = agent.log_temperature.exp()[:, None]
    expected = batch.rewards + 0.9 * batch.bootstrap * (low - temperature * log_densities)
    torch.testing.assert_close(found, expected)
    assert (batch.bootstrap == 0.0).any()
    assert (temperature != 1.0).all()


def test_a_heavier_penalty_lowers_what_imagined_actions_are_worth() -> None:
    values = []
    for penalty in (0.0, 10.0):
        agent, data = learnt(mopo, 150, penalty=penalty, gamma=0.0, learning_rate=3e-3)
        batch = data.rows(torch.arange(100)[None])
        values.append(agent.values("critics", batch.observations, batch.actions).mean())
    assert values[1] < values[0] - 5.0


def test_models_do_not_change_while_policies_learn() -> None:
    agent, data = learnt(mopo, 1)
    before = {name: tensor.clone() for name, tensor in agent.models.dynamics.state_dict().items()}
    for step in range(1, 12):
        agent.update(data.sample(agent.streams, 32), step)
    assert all(torch.equal(tensor, before[name]) for name, tensor in agent.models.dynamics.state_dict().items())


def test_models_are_kept_in_the_runs_directory_and_fitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = args_of(mopo, data=(FIRST, SECOND), updates=10, out=tmp_path / "run")
    mopo.main(args)
    assert (tmp_path / "run" / FILE).exists()
    monkeypatch.setattr(Fit, "_update", lambda self: pytest.fail("a model was fitted again"))
    longer = mopo.main(args_of(mopo, data=(FIRST, SECOND), updates=20, out=tmp_path / "run"))
    assert [row.update for row in longer] == [10, 10, 20, 20]


def test_what_models_are_worth_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mopo.main(args_of(mopo, updates=1, out=tmp_path / "run", quiet=False))
    told = capsys.readouterr().out
    assert (
        "error on the steps that weights were chosen by, as a share of predicting no change and the mean reward" in told
    )
    assert f"({FIRST}, seed 0)" in told


def test_temperatures_rise_where_policies_are_too_certain_and_fall_elsewhere() -> None:
    args = args_of(mopo, seeds=(0, 1), learning_rate=3e-3)
    data, streams = OfflineData([FIRST] * 2, device=CPU), Streams([0, 1], CPU)
    agent = mopo.MOPO(args, data, streams)
    with torch.no_grad():
        agent.actor.network.weights[-1].zero_()
        agent.actor.network.biases[-1].copy_(torch.tensor([[[0.0, -5.0]], [[0.0, 0.42]]]))
    agent._improve(data.sample(streams, 64))
    first, second = agent.log_temperature.tolist()
    assert first > 0.0 > second
