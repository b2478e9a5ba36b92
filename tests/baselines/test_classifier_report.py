"""``transreward show --classifier``: a run's classifiers, judged and drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from transreward_baselines.classifier_report import explained_share, feature_name
from transreward_baselines.cli import main as transreward
from transreward_baselines.needs import NEEDS, tell_needs
from transreward_baselines.ppo import Args, main
from transreward_envs import PAIRS, make_pair
from transreward_envs.shifts import MassShift

SETTINGS = ("target_ratio=0.5", "warmup=1000", "fit_budget=20", "hidden=16", "eta=0.5")


def trained(directory: Path, method: str) -> Path:
    main(
        Args(
            env_id=f"TransReward/InvertedPendulum-mass-2.0-{method}-v0",
            total_steps=12_288,
            num_envs=8,
            eval_every=12_288,
            eval_episodes=2,
            hidden=8,
            epochs=1,
            settings=SETTINGS if method != "mixture" else (),
            quiet=True,
            out=directory,
        )
    )
    return directory


def test_a_run_shows_how_well_its_classifiers_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tmp_path / "darc", "darc")
    transreward(["show", "--classifier", str(run)])
    said = capsys.readouterr().out
    assert "held-out transitions" in said
    assert "dr in the source" in said
    assert (run / "classifier.png").stat().st_size > 10_000
    logged = EventAccumulator(str(run / "logs")).Reload()
    names = set(logged.Tags()["scalars"])
    assert {"compensation/source_mean", "compensation/source_quantile_0.95", "compensation/clip_rate"} <= names
    pair = make_pair("InvertedPendulum", MassShift(scale=1.37))  # not registered, as if a sweep had made it
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "env_id": f"TransReward/{pair.name}-darc-v0"}))
    with pytest.raises(SystemExit):
        transreward(["show", "--classifier", str(run)])
    assert "A run with a compensation and a checkpoint is needed" in capsys.readouterr().err
    tell_needs(run, pair, ())
    try:
        transreward(["show", "--classifier", str(run)])
    finally:
        PAIRS.pop(pair.name)
    assert f"{pair.name}: domain classifiers on" in capsys.readouterr().out
    (run / NEEDS).write_text("{")
    with pytest.raises(SystemExit):
        transreward(["show", "--classifier", str(run)])
    assert "does not say what a run needs" in capsys.readouterr().err
    assert {"compensation/accuracy_of_triples", "compensation/target_mean"} <= names
    spent = [logged.Scalars(f"charts/{role}_steps")[-1].value for role in ("source", "target")]
    assert sum(spent) == 12_288
    assert logged.Scalars("compensation/target_mean")[-1].value == 0.0


def test_runs_without_classifiers_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(tmp_path / "mixture", "mixture")
    for words, message in {
        ("show", "--classifier", str(run)): "A run with a compensation and a checkpoint is needed",
        ("show", "--classifier", str(tmp_path)): "is not a run's configuration",
        ("show",): "got both, or neither",
        ("show", "Hopper-mass-2.0", "--classifier", str(run)): "got both, or neither",
    }.items():
        with pytest.raises(SystemExit):
            transreward(list(words))
        assert message in capsys.readouterr().err


def test_the_feature_that_tells_most_is_found() -> None:
    generator = np.random.default_rng(0)
    feature = generator.normal(size=5_000)
    assert explained_share(feature, np.sin(3.0 * feature)) > 0.9
    assert explained_share(generator.normal(size=5_000), np.sin(3.0 * feature)) < 0.02
    assert explained_share(np.ones(10), feature[:10]) == 0.0
    assert [feature_name(column, 3, 2) for column in (2, 3, 5)] == [
        "observation 2",
        "action 0",
        "change of observation 0",
    ]
