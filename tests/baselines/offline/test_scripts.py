"""All offline scripts: a run among others is the run alone, resumes as if nothing had been, and learns what pays."""

import dataclasses
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.baselines.offline.conftest import FIRST, PAIR, SECOND, write_dataset
from transreward_baselines import awr, bcq, bear, brac_p, cql, iql, mabe, mopo, td3_bc
from transreward_baselines.offline.agent import Prepares, Schedules
from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation, evaluate
from transreward_baselines.offline.streams import Streams
from transreward_baselines.results import read_rows
from transreward_baselines.run_directory import RunDirectoryError, checkpoints
from transreward_baselines.script import run_script
from transreward_wrappers.storage import load_tensors

CPU = torch.device("cpu")
SCRIPTS = [td3_bc, iql, awr, bcq, bear, brac_p, cql, mopo, mabe]
AGENTS = {
    td3_bc: td3_bc.TD3BC,
    iql: iql.IQL,
    awr: awr.AWR,
    bcq: bcq.BCQ,
    bear: bear.BEAR,
    brac_p: brac_p.BRACP,
    cql: cql.CQL,
    mopo: mopo.MOPO,
    mabe: mabe.MABE,
}
SMALL_MODELS = {
    "branches": 48,
    "branch_every": 5,
    "kept": 2,
    "members": 3,
    "elites": 2,
    "model_hidden": 16,
    "model_layers": 2,
    "model_updates": 300,
    "model_batch_size": 32,
}
FAST: dict[ModuleType, dict[str, Any]] = {
    bear: {"warmup": 5},
    brac_p: {"policy_learning_rate": 3e-3, "alpha": 0.1, "warmup": 5},
    iql: {"decay": False},
    cql: {"policy_learning_rate": 3e-3, "alpha": 0.1, "draws": 4},
    mopo: {**SMALL_MODELS, "penalty": 0.1},
    mabe: {**SMALL_MODELS, "alpha": 0.1, "warmup": 5},
}
"""With what a script shows in few steps all that it does, where its defaults would not."""

NAMES = [script.__name__.rpartition(".")[2] for script in SCRIPTS]

every_script = pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)


def args_of(script: ModuleType, **changes: Any) -> Any:
    small = {"pair": PAIR, "data": (FIRST,), "batch_size": 32, "hidden": 16, "eval_episodes": 2, "quiet": True}
    return script.Args(**{**small, "eval_every": 10, "updates": 20, **FAST.get(script, {}), **changes})


def timeless(rows: list[OfflineEvaluation]) -> list[OfflineEvaluation]:
    """Return rows without what differs from NaN or from one time to the next."""
    return [dataclasses.replace(row, seconds=0.0, score=0.0) for row in rows]


def learnt(script: ModuleType, steps: int, **changes: Any) -> Any:
    """Return an agent after some gradient steps, and the data that it learnt from."""
    args = args_of(script, **changes)
    data = OfflineData([run.data for run in args.runs], device=CPU)
    streams = Streams([run.seed for run in args.runs], CPU)
    agent = AGENTS[script](args, data, streams)
    if isinstance(agent, Prepares):
        agent.prepare(None)
    for step in range(steps):
        if isinstance(agent, Schedules):
            agent.schedule(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16, cache_enabled=False):
            figures = agent.update(data.sample(streams, args.batch_size), step)
        assert all(values.shape == (len(args.runs),) and values.isfinite().all() for values in figures.values())
    return agent, data


@every_script
def test_a_run_among_others_is_the_run_alone(script: ModuleType) -> None:
    everyone = {"data": (FIRST, SECOND, f"{FIRST}+{SECOND}"), "seeds": (3, 4)}
    together, _ = learnt(script, 12, **everyone)
    for index, run in enumerate(args_of(script, **everyone).runs):
        alone, _ = learnt(script, 12, data=(run.data,), seeds=(run.seed,))
        seen = torch.randn(1, 9, 4, generator=torch.Generator().manual_seed(index))
        mine = together.act(seen.expand(6, -1, -1))[index]
        torch.testing.assert_close(mine, alone.act(seen)[0], rtol=1e-3, atol=1e-5)


@every_script
def test_a_run_is_evaluated_among_others_as_it_is_alone_and_each_time_the_same(script: ModuleType) -> None:
    everyone, episodes = {"data": (FIRST, SECOND), "seeds": (3, 4)}, {"eval_episodes": 3}
    together, data = learnt(script, 5, **everyone)
    args = args_of(script, **everyone, **episodes)
    returns = evaluate(together, data, args)
    np.testing.assert_array_equal(evaluate(together, data, args), returns)
    for index, run in enumerate(args.runs):
        own = {"data": (run.data,), "seeds": (run.seed,)}
        alone, own_data = learnt(script, 5, **own)
        np.testing.assert_allclose(evaluate(alone, own_data, args_of(script, **own, **episodes)), returns[index][None])


@every_script
def test_runs_of_other_seeds_and_data_differ(script: ModuleType) -> None:
    agent, _ = learnt(script, 20, data=(FIRST, SECOND), seeds=(3, 4), learning_rate=3e-3)
    actions = agent.act(torch.ones(4, 1, 4)).flatten()
    apart = (actions[:, None] - actions).abs() + torch.eye(4)
    assert apart.min() > 1e-4


@every_script
def test_a_policy_learns_the_action_that_pays(script: ModuleType) -> None:
    agent, data = learnt(script, 400, seeds=(0, 1), gamma=0.0, hidden=32, learning_rate=3e-3)
    raw = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 50, 4)) * np.arange(1, 5)).float()
    actions = agent.act(data.normalised(raw)).mean(dim=(1, 2))
    assert (actions > 0.2).all(), "an action of 0.5 pays most, the data's mean is 0"


@every_script
def test_bfloat16_changes_little(script: ModuleType) -> None:
    exact, _ = learnt(script, 5)
    rough, _ = learnt(script, 5, bfloat16=True)
    seen = torch.ones(1, 1, 4)
    first, second = exact.act(seen), rough.act(seen)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, second, atol=0.05, rtol=0.1)
    assert all(parameter.dtype == torch.float32 for parameter in rough.networks.parameters())


@every_script
def test_a_command_trains_evaluates_and_goes_on_as_if_it_had_not_stopped(script: ModuleType, tmp_path: Path) -> None:
    changes = {"data": (FIRST, SECOND), "seeds": (0, 1)}
    whole = script.main(args_of(script, out=tmp_path / "whole", **changes))
    args = args_of(script, out=tmp_path / "parts", **changes)
    script.main(dataclasses.replace(args, updates=10))
    parts = script.main(args)
    assert timeless(parts) == timeless(whole)
    assert [(row.update, row.data, row.seed) for row in whole] == [
        (update, data, seed) for update in (10, 20) for data in (FIRST, SECOND) for seed in (0, 1)
    ]
    assert all(row.return_mean >= 1.0 and row.episodes == 2 for row in whole)
    first, second = (
        load_tensors(checkpoints(tmp_path / name)[-1] / "agent.safetensors")[0] for name in ("whole", "parts")
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert len(read_rows(tmp_path / "parts", OfflineEvaluation)) == 8


@every_script
def test_a_run_that_is_done_is_not_trained_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = args_of(script, out=tmp_path / "run")
    rows = script.main(args)
    monkeypatch.setattr(AGENTS[script], "update", lambda *_: pytest.fail("it was trained again"))
    assert timeless(script.main(args)) == timeless(rows)


@every_script
def test_other_settings_need_another_directory(script: ModuleType, tmp_path: Path) -> None:
    args = args_of(script, out=tmp_path / "run")
    script.main(args)
    with pytest.raises(RunDirectoryError, match="has another .*gamma: 0.99 there, 0.5 asked for"):
        script.main(dataclasses.replace(args, gamma=0.5))
    path = checkpoints(tmp_path / "run")[-1] / "agent.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        script.main(dataclasses.replace(args, updates=30))


@every_script
def test_runs_go_on_from_other_runs_networks_and_normalisation(script: ModuleType, tmp_path: Path) -> None:
    first, seeds = tmp_path / "first", (3, 4)
    fast = {"learning_rate": 3e-2, **({"tau": 0.5} if hasattr(script.Args, "tau") else {})}
    script.main(args_of(script, out=first, seeds=seeds, **fast))
    script.main(args_of(script, out=tmp_path / "second", data=(SECOND,), seeds=seeds, start=first, updates=1))
    before, after = (
        load_tensors(checkpoints(tmp_path / name)[-1] / "agent.safetensors")[0] for name in ("first", "second")
    )
    assert all(torch.equal(before[name], after[name]) for name in ("data.mean", "data.deviation"))
    kept = [name for name in before if name.startswith("networks.") and not name.startswith("networks.models.")]
    args = args_of(script, data=(SECOND,), seeds=seeds)
    agent = AGENTS[script](args, OfflineData([SECOND] * 2, device=CPU), Streams(seeds, CPU))
    fresh = agent.networks.state_dict()
    new = {name: float((before[name] - fresh[name.removeprefix("networks.")]).abs().max()) for name in kept}
    moved = {name: float((before[name] - after[name]).abs().max()) for name in kept}
    far = [name for name in kept if new[name] > 5.0 * moved[name]]
    assert far == kept, "one step moves weights little, and those of the first runs had moved far"


def test_runs_start_from_runs_of_their_own_kind(tmp_path: Path) -> None:
    awr.main(args_of(awr, out=tmp_path / "first"))
    for script, changes, message in (
        (iql, {}, "the same script; .* have 'awr', these 'iql'"),
        (awr, {"seeds": (0, 1)}, r"the same seeds; .* have \[0\], these \[0, 1\]"),
        (awr, {"hidden": 8}, "cannot start from the checkpoint"),
        (awr, {"data": (FIRST, SECOND)}, "cannot start from the checkpoint"),
    ):
        with pytest.raises(RunDirectoryError, match=message):
            script.main(args_of(script, out=tmp_path / "second", **{"start": tmp_path / "first", **changes}))
        assert not (tmp_path / "second").exists(), "what cannot be run takes no directory"
    shutil.rmtree(checkpoints(tmp_path / "first")[-1])
    with pytest.raises(RunDirectoryError, match="has none yet. Train these runs first"):
        awr.main(args_of(awr, out=tmp_path / "second", start=tmp_path / "first"))


def test_evaluations_are_told_unless_they_are_not_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for tell in (True, False):
        awr.main(args_of(awr, out=tmp_path / str(tell), quiet=False, tell=tell))
        assert ("step 20: return" in "".join(capsys.readouterr())) is tell


def test_a_seed_in_the_name_of_a_dataset_is_the_runs_own(tmp_path: Path, datasets: Path) -> None:
    for seed in (3, 4):
        write_dataset(datasets, f"tests/own-{seed}-v0", seed=seed)
    data = (f"{FIRST}+tests/own-{{seed}}-v0",)
    rows = awr.main(args_of(awr, data=data, seeds=(3, 4), out=tmp_path / "run", updates=10))
    assert [row.data for row in rows] == [f"{FIRST}+tests/own-{seed}-v0" for seed in (3, 4)]


@pytest.mark.parametrize(
    ("script", "changes", "message"),
    [
        (td3_bc, {"alpha": 0.0}, "`alpha` must be finite and > 0; got 0.0"),
        (td3_bc, {"policy_noise": -1.0}, "`policy_noise` must be finite and >= 0"),
        (td3_bc, {"policy_every": 0}, "`policy_every` must be an integer >= 1"),
        (iql, {"expectile": 1.0}, "`expectile`"),
        (iql, {"tau": 2.0}, "`tau`"),
        (awr, {"beta": 0.0}, "`beta` must be finite and > 0; got 0.0"),
        (awr, {"gamma": 1.0}, r"`gamma` must lie in \[0, 1\); got 1.0"),
        (brac_p, {"alpha": -1.0}, "`alpha` must be finite and >= 0"),
        (brac_p, {"warmup": -1}, "`warmup` must be an integer >= 0"),
        (brac_p, {"policy_learning_rate": 0.0}, "`policy_learning_rate` must be finite and > 0"),
        (brac_p, {"tau": 2.0}, r"`tau` must lie in \[0, 1\]"),
        (cql, {"alpha": -1.0}, "`alpha` must be finite and >= 0"),
        (cql, {"draws": 0}, "`draws` must be an integer >= 1"),
        (cql, {"layers": 0}, "`layers` must be an integer >= 1"),
        (cql, {"learning_rate": 0.0}, "`learning_rate` must be finite and > 0"),
        (cql, {"tau": 2.0}, r"`tau` must lie in \[0, 1\]"),
        (bcq, {"phi": -0.1}, "`phi` must be finite and >= 0; got -0.1"),
        (bcq, {"min_share": 1.5}, "`min_share`"),
        (bcq, {"acting_actions": 0}, "`acting_actions` must be an integer >= 1"),
        (bear, {"kernel": "laplace"}, "Unknown kernel 'laplace'. Did you mean 'laplacian'"),
        (bear, {"width": 0.0}, "`width` must be finite and > 0; got 0.0"),
        (bear, {"tau": -1.0}, "`tau`"),
        (bear, {"warmup": -1}, "`warmup` must be an integer >= 0"),
        (bear, {"matched_actions": 0}, "`matched_actions` must be an integer >= 1"),
        (mopo, {"penalty": -1.0}, "`penalty` must be finite and >= 0"),
        (mopo, {"learning_rate": 0.0}, "`learning_rate` must be finite and > 0"),
        (mopo, {"tau": 2.0}, r"`tau` must lie in \[0, 1\]"),
        (mabe, {"alpha": -1.0}, "`alpha` must be finite and >= 0"),
        (mabe, {"beta": 0.0}, "`beta` must be finite and > 0; got 0.0"),
        (mabe, {"baseline_actions": 0}, "`baseline_actions` must be an integer >= 1"),
        (mabe, {"warmup": -1}, "`warmup` must be an integer >= 0"),
        (mabe, {"tau": -1.0}, "`tau`"),
        (iql, {"data": ()}, "`data` must name one at least; got none"),
        (iql, {"seeds": (1, 1)}, "Runs differ in data or seed"),
        (iql, {"pair": "nobody"}, "Unknown pair 'nobody'"),
        (iql, {"device": "gpu"}, "Unknown device 'gpu'. Did you mean 'cpu'"),
        (iql, {"batch_size": 0}, "`batch_size` must be an integer >= 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(script: ModuleType, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args_of(script, **changes)


def test_a_command_line_is_understood_or_refused_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, seen = ["--pair", PAIR, "--data", FIRST, SECOND, "--seeds", "3", "4", "--out", str(tmp_path / "run")], []
    run_script(seen.append, iql.Args, words)
    assert len(seen[0].runs) == 4
    for more, message in {
        ("--beta", "-1"): "`beta` must be finite and > 0",
        ("--data", "nobody"): "There is no dataset in",
    }.items():
        with pytest.raises(SystemExit) as stop:
            run_script(iql.main, iql.Args, [*words, *more])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists(), "what cannot be run takes no directory"


def test_an_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(args: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        run_script(interrupted, iql.Args, ["--pair", PAIR, "--data", FIRST])
    assert stop.value.code == 130
    assert "run the same command again to go on" in capsys.readouterr().err


@pytest.mark.parametrize(("script", "share", "most"), [(bear, 5, 20_000), (brac_p, 10, 10_000), (mabe, 10, 10_000)])
def test_first_steps_are_a_share_of_all_and_none_of_runs_that_start_from_others(
    script: ModuleType, share: int, most: int, tmp_path: Path
) -> None:
    def first_steps(**changes: Any) -> int:
        args = args_of(script, **{"warmup": None, **changes})
        return AGENTS[script](args, OfflineData([FIRST], device=CPU), Streams([0], CPU)).first_steps

    assert first_steps(updates=1_000) == 1_000 // share
    assert first_steps(updates=100_000) == first_steps(updates=1_000_000) == most
    assert first_steps(updates=1_000, warmup=7) == 7
    assert first_steps(updates=1_000, start=tmp_path) == 0
    assert first_steps(updates=1_000, start=tmp_path, warmup=7) == 7


def test_runs_that_go_on_have_started_from_what_they_started_from(tmp_path: Path) -> None:
    for name in ("first", "other"):
        awr.main(args_of(awr, out=tmp_path / name))
    second = {"out": tmp_path / "second", "data": (SECOND,)}
    awr.main(args_of(awr, **second, start=tmp_path / "first"))
    (tmp_path / "first").rename(tmp_path / "moved")
    for updates, more in ((30, {"start": tmp_path / "moved"}), (40, {})):
        assert awr.main(args_of(awr, **second, **more, updates=updates))[-1].update == updates
    with pytest.raises(RunDirectoryError, match="started from nothing, not from .*moved. Choose another `--out`"):
        awr.main(args_of(awr, out=tmp_path / "other", start=tmp_path / "moved", updates=30))


def test_runs_that_go_on_keep_the_first_steps_that_they_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[bool] = []
    improve = brac_p.BRACP._improve

    def watch(self: brac_p.BRACP, batch: Any, *, values_count: bool) -> Any:
        counted.append(values_count)
        return improve(self, batch, values_count=values_count)

    monkeypatch.setattr(brac_p.BRACP, "_improve", watch)
    for updates in (20, 300):
        brac_p.main(args_of(brac_p, out=tmp_path / "run", warmup=None, updates=updates))
    assert counted == [False] * 2 + [True] * 298


def test_values_go_on_in_the_scale_of_rewards_that_they_were_learnt_in(tmp_path: Path) -> None:
    iql.main(args_of(iql, out=tmp_path / "first"))
    with pytest.raises(RunDirectoryError, match="the same return_span; .* have 1000.0, these 10.0"):
        iql.main(args_of(iql, out=tmp_path / "second", data=(SECOND,), start=tmp_path / "first", return_span=10.0))


@every_script
def test_runs_that_are_larger_than_memory_are_told_before_any_is_made(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(MemoryError, match=r"^2 runs at once take about \d{3,}\.\d GiB on cpu beside their data, which"):
        script.main(args_of(script, seeds=(0, 1), hidden=100_000, device="cpu", out=tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()
