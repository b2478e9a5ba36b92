"""An empty shelf, and training that is small."""

from pathlib import Path

import pytest

from transreward_baselines.policies import recipes, train

SMALL = {"total_steps": 2_048, "num_envs": 4, "num_steps": 32, "hidden": 8, "epochs": 1}


@pytest.fixture(autouse=True)
def nothing_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path / "nothing"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.SOURCES, "InvertedPendulum", SMALL)
    monkeypatch.setitem(recipes.TARGETS, "InvertedPendulum", 1_024)
    monkeypatch.setattr(train, "EVALUATIONS", {"source": 4, "target": 2})
