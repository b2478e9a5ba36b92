"""Going on in the target: what is collected there, how it joins the data, and that nothing of it is lost."""

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.baselines.offline.conftest import FIRST, PAIR, SECOND
from tests.baselines.offline.test_awr import by_hand
from tests.baselines.offline.test_scripts import AGENTS, args_of, every_script, learnt, timeless
from transreward_baselines import awr, iql, td3_bc
from transreward_baselines.lanes import Lanes
from transreward_baselines.offline import online
from transreward_baselines.offline.agent import Explores
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.online import Collector, _seed
from transreward_baselines.offline.streams import Streams
from transreward_baselines.results import read_rows
from transreward_baselines.run_directory import RunDirectoryError, checkpoints
from transreward_envs import get_pair
from transreward_wrappers.policies import scale_actions
from transreward_wrappers.storage import load_tensors

CPU = torch.device("cpu")
EVERYONE = {"data": (FIRST, SECOND), "seeds": (3, 4)}


def kept(directory: Path, name: str) -> dict[str, torch.Tensor]:
    return load_tensors(checkpoints(directory)[-1] / f"{name}.safetensors")[0]


def collected(script: ModuleType, steps: int, **changes: Any) -> tuple[Any, OfflineData, Collector]:
    """Return an agent, and its data after some steps in the target without learning."""
    args = args_of(script, finetune_steps=steps, **changes)
    data = OfflineData([run.data for run in args.runs], device=CPU)
    data.reserve(steps, args.online_share)
    streams = Streams([run.seed for run in args.runs], CPU)
    agent = AGENTS[script](args, data, streams)
    collector = Collector(args, data, streams, agent)
    for step in range(steps):
        collector.step(step)
    collector.close()
    return agent, data, collector


@every_script
def test_runs_go_on_in_the_target_and_resume_as_if_they_had_not_stopped(script: ModuleType, tmp_path: Path) -> None:
    args = args_of(script, out=tmp_path / "whole", updates=10, finetune_steps=20, **EVERYONE)
    whole = script.main(args)
    assert [(row.update, row.online_steps) for row in whole[::4]] == [(10, 0), (20, 10), (30, 20)]
    parts = dataclasses.replace(args, out=tmp_path / "parts")
    for steps in (0, 10, 20):
        rows = script.main(dataclasses.replace(parts, finetune_steps=steps))
        assert len(rows) == 4 + 4 * (steps // 10)
    assert timeless(rows) == timeless(whole)
    assert timeless(read_rows(tmp_path / "parts", OfflineEvaluation)) == timeless(whole)
    for name in ("agent", "fresh"):
        first, second = kept(tmp_path / "whole", name), kept(tmp_path / "parts", name)
        assert first.keys() == second.keys()
        assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    assert first["rewards"].shape == (4, 20)


@every_script
def test_a_run_among_others_goes_on_as_it_does_alone(script: ModuleType, tmp_path: Path) -> None:
    small = {"updates": 5, "finetune_steps": 12, "eval_every": 100, "eval_episodes": 1}
    script.main(args_of(script, out=tmp_path / "together", **small, **EVERYONE))
    together = kept(tmp_path / "together", "fresh")
    script.main(args_of(script, out=tmp_path / "alone", data=(SECOND,), seeds=(3,), **small))
    for name, values in kept(tmp_path / "alone", "fresh").items():
        torch.testing.assert_close(together[name][2], values[0], rtol=1e-3, atol=1e-4)


def test_what_is_collected_is_what_the_targets_simulator_does() -> None:
    _, data, _ = collected(td3_bc, 60, **EVERYONE)
    assert data.fresh is not None
    fresh = data.fresh.tensors()
    for run in range(4):
        env = get_pair(PAIR).make("target")
        observation, _ = env.reset(seed=_seed(EVERYONE["seeds"][run % 2], 0))  # type: ignore[arg-type]
        for step in range(60):
            np.testing.assert_allclose(fresh["observations"][run, step], observation, rtol=1e-5, atol=1e-6)
            action = scale_actions(fresh["actions"][run, step].numpy(), env.action_space)
            observation, reward, terminated, truncated, _ = env.step(action)
            np.testing.assert_allclose(fresh["next_observations"][run, step], observation, rtol=1e-5, atol=1e-6)
            found = [fresh[name][run, step].item() for name in ("rewards", "terminated", "truncated")]
            assert found == [reward, terminated, truncated]
            if terminated or truncated:
                observation, _ = env.reset()
    assert 0 < fresh["terminated"].sum() < 120


def test_a_step_at_which_physics_failed_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Lanes.step

    def failing(lanes: Lanes, actions: Any) -> Any:
        made = step(lanes, actions)
        failed = np.arange(lanes.num_envs) == 1
        foreign = np.where(failed[:, None], 7.0, made.last_observations)
        return dataclasses.replace(made, failed=failed, last_observations=foreign)

    monkeypatch.setattr(Lanes, "step", failing)
    _, data, _ = collected(td3_bc, 5, **EVERYONE)
    assert data.fresh is not None
    fresh = data.fresh.tensors()
    assert torch.equal(fresh["next_observations"][1], fresh["observations"][1])
    assert not torch.equal(fresh["next_observations"][0], fresh["observations"][0])


def test_fresh_transitions_have_their_share_of_a_batch_but_are_never_more_than_there_are() -> None:
    _, data, _ = collected(td3_bc, 30, online_share=0.25, **EVERYONE)
    assert data.fresh is not None
    first = len(data.arrays["rewards"]) - 4 * 30
    streams = Streams([0, 1, 2, 3], CPU)
    for shown, expected in ((0, 0), (7, 7), (30, 16)):
        data.fresh.shown = shown
        seen = set()
        for _ in range(100):
            batch = data.sample(streams, 64)
            for run in range(4):
                own = batch.where[run] >= first
                assert own.sum() == expected
                seen |= {(run, place - first - 30 * run) for place in batch.where[run, own].tolist()}
        assert seen == {(run, place) for run in range(4) for place in range(shown)}
    places = (batch.where[0] >= first).nonzero().flatten()
    assert places.diff().max() <= 5
    actions = data.arrays["actions"][batch.where[0, places]]
    torch.testing.assert_close(batch.actions[0, places], actions)


def test_a_checkpoint_ends_episodes_and_others_begin_with_seeds_of_their_own() -> None:
    agent, data, _ = collected(td3_bc, 8, **EVERYONE)
    args = args_of(td3_bc, finetune_steps=8, **EVERYONE)
    data.fresh.count = 0  # type: ignore[union-attr]
    collector = Collector(args, data, Streams([3, 4, 3, 4], CPU), agent)
    for step in range(8):
        if step == 3:
            collector.cut()
        collector.step(step)
    collector.close()
    fresh = data.fresh.tensors()  # type: ignore[union-attr]
    assert fresh["truncated"].tolist() == [[0.0, 0.0, 1.0] + [0.0] * 5] * 4
    assert not torch.allclose(fresh["observations"][:, 3], fresh["next_observations"][:, 2])
    assert not torch.allclose(fresh["observations"][:, 3], fresh["observations"][:, 0])
    assert not torch.allclose(fresh["observations"][0, 0], fresh["observations"][1, 0])


def test_policies_that_draw_nothing_act_with_noise_and_others_draw() -> None:
    for noise in (0.0, 0.3):
        agent, data, _ = collected(td3_bc, 200, exploration_noise=noise)
        fresh = data.fresh.tensors()  # type: ignore[union-attr]
        apart = fresh["actions"] - agent.act(data.normalised(fresh["observations"])).detach()
        assert apart.std().item() == pytest.approx(noise, rel=0.2, abs=1e-5)
    assert not isinstance(agent, Explores)
    agent, data, _ = collected(iql, 200, exploration_noise=0.0)
    fresh = data.fresh.tensors()  # type: ignore[union-attr]
    apart = fresh["actions"] - agent.act(data.normalised(fresh["observations"])).detach()
    assert apart.std() > 0.5, "its deviation is 1 before it learns, and actions are clipped"
    assert fresh["actions"].abs().max() <= 1.0


def test_returns_to_go_of_fresh_episodes_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online, "REVISED_EVERY", 20)
    agent, data, _ = collected(awr, 50, gamma=0.9, **EVERYONE)
    assert data.fresh is not None
    assert data.fresh.shown == 40
    fresh = data.fresh.tensors()
    size = len(data.arrays["rewards"]) - 4 * 50
    for run in range(4):
        where = size + 50 * run + torch.arange(40)
        terminated, truncated = (fresh[name][run, :40].bool().tolist() for name in ("terminated", "truncated"))
        ends = [one or other for one, other in zip(terminated, truncated, strict=True)]
        ends[-1] = True
        assert sum(ends) > 1
        rows = data.rows(where.expand(4, -1))
        values = agent.values(rows.next_observations)[run].tolist()
        expected = by_hand(fresh["rewards"][run, :40].tolist(), ends, terminated, values, 0.9)
        np.testing.assert_allclose(agent.targets(where.expand(4, -1))[run], expected, rtol=1e-4, atol=1e-4)


def test_learning_in_the_target_changes_what_is_learnt_from() -> None:
    agent, data = learnt(td3_bc, 1)
    data.reserve(5, 1.0)
    assert data.fresh is not None
    for _ in range(5):
        one = {"rewards": torch.full((1,), 9.0), "observations": torch.zeros(1, 4), "terminated": torch.ones(1)}
        data.fresh.add(one)
    assert data.sample(agent.streams, 32).rewards.max() < 5.0
    data.fresh.show()
    assert (data.sample(agent.streams, 32).rewards == 9.0).sum() == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finetune_steps": -1}, "`finetune_steps` must be an integer >= 0"),
        ({"online_share": 1.5}, r"`online_share` must lie in \[0, 1\]"),
        ({"exploration_noise": -0.1}, "`exploration_noise` must be finite and >= 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args_of(iql, **changes)


def test_what_cannot_go_on_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = args_of(iql, out=tmp_path / "run", updates=10, finetune_steps=10)
    iql.main(args)
    with pytest.raises(
        RunDirectoryError, match="`updates` cannot change; .* after 10 gradient steps offline and 10 on"
    ):
        iql.main(dataclasses.replace(args, updates=12, finetune_steps=20))
    path = checkpoints(tmp_path / "run")[-1] / "fresh.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        iql.main(dataclasses.replace(args, finetune_steps=20))
    data = OfflineData([FIRST], device=CPU)
    monkeypatch.setattr("transreward_baselines.offline.data.free_memory", lambda device: 1_000)
    with pytest.raises(MemoryError, match="100 fresh transitions of each of 1 runs beside all data take"):
        data.reserve(100, 0.5)
