"""The demonstration, in small."""

from pathlib import Path

import pytest

from transreward_baselines import demo, render
from transreward_baselines.config import RunConfig
from transreward_baselines.demo import DemoArgs, run_demo
from transreward_baselines.train import train

SMALL = (("source", {}), ("darc", {"warmup": 100, "fit_budget": 2}))


def test_the_demo_trains_tabulates_and_draws_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "CONTENDERS", SMALL)
    monkeypatch.setattr(demo, "render_in_subprocess", lambda run, out: [])
    args = DemoArgs(out=tmp_path, pair="InvertedPendulum-gravity-2.0", steps=2048, seeds=2, workers=2)
    for _ in range(2):
        run_demo(args)
        text = capsys.readouterr().out
        assert "source only" in text
        assert "DARC" in text
        assert "This machine cannot render" in text
    assert (tmp_path / "learning-curves.png").exists()
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("source,0,2048,2048,0,")


def test_a_policy_is_filmed_in_both_domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    train(RunConfig(pair="Hopper-gravity-2.0", method="source", steps=2048, eval_episodes=1), run)
    films = render.render_in_subprocess(run, tmp_path / "film", steps=6)
    if films:  # where the machine can render
        assert films[0].read_bytes().startswith(b"\x89PNG")
        assert films[1].read_bytes().startswith(b"GIF")
    monkeypatch.setenv("MUJOCO_GL", "nothing")
    assert render.render_in_subprocess(run, tmp_path / "none", steps=6) == []
