"""The demonstration, in small."""

from pathlib import Path

import pytest

from transreward_baselines import demo
from transreward_baselines.demo import DemoArgs, run_demo
from transreward_baselines.render import RenderArgs, RenderError

SMALL = (("source", {}), ("darc", {"warmup": 100, "fit_budget": 2}))


def no_picture(args: RenderArgs) -> list[Path]:
    raise RenderError("This machine cannot render.")


def test_the_demo_trains_tabulates_and_draws_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "CONTENDERS", SMALL)
    monkeypatch.setattr(demo, "render_in_subprocess", no_picture)
    args = DemoArgs(out=tmp_path, pair="InvertedPendulum-gravity-2.0", steps=2048, seeds=2, workers=2)
    trained = []
    for _ in range(2):
        run_demo(args)
        trained.append({path: path.stat().st_mtime_ns for path in tmp_path.glob("*/checkpoint-*/*")})
        text = capsys.readouterr().out
        assert "source only" in text
        assert "DARC" in text
        assert "This machine cannot render" in text
    assert {path.parts[-3] for path in trained[0]} == {"source-seed0", "source-seed1", "darc-seed0", "darc-seed1"}
    assert trained[0] == trained[1], "runs that are done are not trained again"
    assert (tmp_path / "learning-curves.png").exists()
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("source,0,2048,2048,0,")
