"""SAC: its losses, its ratio of updates to transitions, and runs that are resumed."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from tests.baselines.telltale import telltale_lanes
from transreward_baselines import sac
from transreward_baselines.parts.replay import Batch
from transreward_baselines.results import Evaluation, read_rows
from transreward_baselines.run_directory import RunDirectoryError, checkpoints
from transreward_baselines.sac import SAC, Args, bootstrapped_returns, learn, main, update
from transreward_wrappers.storage import load_tensors

SMALL = {
    "device": "cpu",
    "env_id": "InvertedPendulum-v5",
    "num_envs": 2,
    "hidden": 8,
    "batch_size": 16,
    "learning_starts": 64,
    "updates_per_step": 0.25,
    "eval_episodes": 2,
    "eval_every": 128,
    "checkpoint_every": 128,
    "total_steps": 256,
}


def small(out: Path, **changes: object) -> Args:
    return Args(**{**SMALL, "out": out, **changes})


def batch(count: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        observations=torch.randn(count, 3, generator=generator),
        actions=torch.rand(count, 1, generator=generator) * 2.0 - 1.0,
        rewards=torch.randn(count, generator=generator),
        next_observations=torch.randn(count, 3, generator=generator),
        terminated=torch.rand(count, generator=generator) < 0.5,
    )


def test_log_densities_integrate_to_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    agent = SAC(small(tmp_path), 3, 1)
    with torch.no_grad():
        actions, log_densities = agent.draw(torch.zeros(4_000, 3))
        edges = torch.linspace(-1.0, 1.0, 21)
        shares = torch.histogram(actions[:, 0], edges).hist / 4_000
        inverse = (-log_densities).exp()  # its mean over a set of actions is the size of that set
        for low, high, share in zip(edges[4:-5], edges[5:-4], shares[4:-4], strict=True):
            inside = (actions[:, 0] >= low) & (actions[:, 0] < high)
            assert float((inverse * inside).mean()) == pytest.approx(0.1, rel=0.15)
            assert share > 0
    assert actions.abs().max() <= 1.0


def test_nothing_is_expected_beyond_a_termination_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    agent, given = SAC(small(tmp_path), 3, 1), batch()
    temperature = torch.tensor([0.3])
    torch.manual_seed(1)
    targets = bootstrapped_returns(agent, given, temperature, gamma=0.9)
    torch.manual_seed(1)
    with torch.no_grad():
        actions, log_densities = agent.draw(given.next_observations)
        inputs = torch.cat([given.next_observations, actions], dim=1)
        lower = torch.minimum(*(critic(inputs)[:, 0] for critic in agent.targets))
        expected = given.rewards + 0.9 * (lower - 0.3 * log_densities)
    assert torch.equal(targets[given.terminated], given.rewards[given.terminated])
    assert torch.allclose(targets[~given.terminated], expected[~given.terminated])
    given.next_observations[given.terminated] = math.nan  # as a blown-up simulation may leave them
    assert bootstrapped_returns(agent, given, temperature, gamma=0.9).isfinite().all()


def test_an_update_moves_everything_and_the_targets_by_tau(tmp_path: Path) -> None:
    args = small(tmp_path)
    torch.manual_seed(0)
    agent = SAC(args, 3, 1)
    before = {name: tensor.clone() for name, tensor in agent.files()["agent"].items()}
    report = update(agent, batch(), args)
    after = agent.files()["agent"]
    for name in ("policy.0.weight", "critics.0.0.weight", "critics.1.0.weight", "log_temperature"):
        assert not torch.equal(before[name], after[name])
    moved = before["targets.1.2.weight"].lerp(after["critics.1.2.weight"], args.tau)
    assert torch.allclose(after["targets.1.2.weight"], moved)
    assert all(math.isfinite(float(value)) for value in report.values())
    assert all(parameter.requires_grad for parameter in agent.critics.parameters())


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 1.5])
def test_updates_follow_transitions_by_their_ratio(
    ratio: float, mode: AutoresetMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = small(tmp_path, updates_per_step=ratio, learning_starts=30, num_envs=3)
    torch.manual_seed(0)
    agent, lanes, updates = SAC(args, 3, 1), telltale_lanes(mode), []
    monkeypatch.setattr(sac, "BLOCK", 64)
    monkeypatch.setattr(sac, "update", lambda *_: updates.append(agent.replay.size) or {})
    steps, _, _ = learn(agent, lanes, lanes.reset(seed=0), args, np.random.default_rng(0))
    assert steps == agent.replay.size
    assert (steps == 3 * sac.BLOCK) == (mode == AutoresetMode.SAME_STEP)
    assert len(updates) == pytest.approx(ratio * (steps - 30), abs=ratio * 3 + 1)
    assert updates[0] > 30


def test_a_resumed_agent_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    main(small(tmp_path / "run"))
    (path,) = checkpoints(tmp_path / "run")
    files = {name: load_tensors(path / f"{name}.safetensors")[0] for name in ("agent", "replay")}
    agent = SAC(small(tmp_path / "run"), 4, 1)
    agent.load(files)
    again = agent.files()
    for name, tensors in files.items():
        assert again[name].keys() == tensors.keys()
        assert all(torch.equal(again[name][key], tensors[key]) for key in tensors)
    assert len(files["replay"]["rewards"]) == 256
    assert {"optimizer-critics.0.exp_avg", "targets.0.0.weight", "log_temperature"} <= set(files["agent"])


def test_a_run_is_resumed_to_the_same_steps_and_evaluations(tmp_path: Path) -> None:
    whole = main(small(tmp_path / "whole"))
    main(small(tmp_path / "parts", total_steps=128))
    parts = main(small(tmp_path / "parts"))
    assert [row.step for row in parts] == [row.step for row in whole] == [128, 256]
    assert parts == read_rows(tmp_path / "parts", Evaluation)
    assert parts[0].return_mean == whole[0].return_mean
    with pytest.raises(RunDirectoryError, match="script: 'sac' there, 'ppo' asked for"):
        from transreward_baselines import ppo

        ppo.main(ppo.Args(env_id="InvertedPendulum-v5", out=tmp_path / "parts"))


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        ("TransReward/Hopper-v0", ()),
        ("TransReward/Hopper-gravity-2.0-darc-v0", ("warmup=60", "hidden=8", "batch_size=16", "update_every=16")),
        ("Pendulum-v1", ()),
    ],
)
def test_ids_of_all_kinds_train(env_id: str, settings: tuple[str, ...], tmp_path: Path) -> None:
    rows = main(small(tmp_path / "run", env_id=env_id, settings=settings, total_steps=128))
    assert {row.step for row in rows} == {128}
    assert all(np.isfinite(row.return_mean) for row in rows)


DARC = ("warmup=60", "hidden=8", "batch_size=16", "update_every=16", "time_limit=20", "target_ratio=0.5")
COMPENSATED = {"env_id": "TransReward/InvertedPendulum-gravity-2.0-darc-v0", "settings": DARC}


def replay_of(out: Path) -> dict[str, torch.Tensor]:
    return load_tensors(checkpoints(out)[-1] / "replay.safetensors")[0]


@pytest.mark.parametrize("learn_from", ["both", "source"])
def test_a_run_that_relabels_keeps_the_environments_own_rewards_and_goes_on(learn_from: str, tmp_path: Path) -> None:
    args = small(tmp_path / "run", **COMPENSATED, learn_from=learn_from)
    assert args.relabel
    main(args)
    kept = replay_of(tmp_path / "run")
    assert set(kept["rewards"].tolist()) == {0.0, 1.0}  # a pendulum's
    assert set(kept["domains"].tolist()) == {0, 1}
    agent = SAC(args, 4, 1, lambda batch, failed: np.where(batch.domain == 0, 5.0, -5.0))
    agent.replay.load(kept)
    assert (agent.replay.sample(500, agent.device).rewards.min() < 0.0) == (learn_from == "both")
    rows = main(dataclasses.replace(args, total_steps=384))
    assert rows[-1].step == 384
    again = replay_of(tmp_path / "run")
    assert all(torch.equal(again[name][:256], kept[name]) for name in kept)


def test_frozen_rewards_are_kept_as_they_were_paid(tmp_path: Path) -> None:
    main(small(tmp_path / "run", **COMPENSATED, relabel=False))
    kept = replay_of(tmp_path / "run")
    assert "domains" not in kept
    assert len(set(kept["rewards"].tolist())) > 50


def test_what_is_drawn_follows_the_classifiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[torch.Tensor] = []
    monkeypatch.setattr(sac, "update", lambda agent, batch, args: drawn.append(batch.rewards) or {})
    later = ("warmup=200", *DARC[1:])
    main(small(tmp_path / "run", **{**COMPENSATED, "settings": later}, learning_starts=32, total_steps=512))
    assert set(drawn[0].tolist()) <= {0.0, 1.0}  # during the warm-up
    assert len(set(drawn[-1].tolist())) > 3


def test_relabelling_is_without_effect_where_there_is_no_compensation(tmp_path: Path) -> None:
    for env_id in ("InvertedPendulum-v5", "TransReward/InvertedPendulum-gravity-2.0-mixture-v0"):
        assert small(tmp_path, env_id=env_id) == small(tmp_path, env_id=env_id, relabel=False)
        with pytest.raises(ValueError, match="`learn_from` can be 'source' where rewards are relabelled"):
            small(tmp_path, env_id=env_id, learn_from="source")


def test_runs_of_before_there_was_relabelling_go_on_as_they_were(tmp_path: Path) -> None:
    out = tmp_path / "run"
    for changes in ({}, {**COMPENSATED, "relabel": False}):
        main(small(out, **changes))
        settings = json.loads((out / "config.json").read_text())
        del settings["relabel"], settings["learn_from"]
        (out / "config.json").write_text(json.dumps(settings))
        if changes:
            with pytest.raises(RunDirectoryError, match="relabel: False there, True asked for"):
                main(small(out, **COMPENSATED, total_steps=384))
        assert main(small(out, **changes, total_steps=384))[-1].step == 384
        shutil.rmtree(out)


def test_a_checkpoint_of_frozen_rewards_is_not_relabelled(tmp_path: Path) -> None:
    out = tmp_path / "run"
    main(small(out, **COMPENSATED, relabel=False))
    (out / "config.json").write_text((out / "config.json").read_text().replace('"relabel": false', '"relabel": true'))
    with pytest.raises(RunDirectoryError, match="need domains, failed of each transition.* Go on without relabelling"):
        main(small(out, **COMPENSATED, total_steps=384))


@pytest.mark.slow
def test_a_pendulum_is_swung_up(tmp_path: Path) -> None:
    settings = {"num_envs": 4, "hidden": 64, "batch_size": 128, "updates_per_step": 1.0, "learning_starts": 500}
    rows = main(Args(env_id="Pendulum-v1", **settings, seed=101, total_steps=6_000, out=tmp_path / "run"))
    assert rows[-1].return_mean > -400.0  # -1,200 by random actions, -150 at best


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates_per_step": 0.0}, "`updates_per_step` must be finite and > 0; got 0.0"),
        ({"buffer_size": 0}, "`buffer_size` must be an integer >= 1; got 0"),
        ({"learning_starts": -1}, "`learning_starts` must be an integer >= 0; got -1"),
        ({"tau": 2.0}, r"`tau` must lie in \[0, 1\]; got 2.0"),
    ],
)
def test_bad_settings_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Args(**changes)
