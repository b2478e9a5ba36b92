"""What the tests of aligned rewards share."""

from pathlib import Path

import pytest

PAIR = "InvertedPendulum-gravity-2.0"
TINY = {
    "reference_steps": 200,
    "reference_count": 2,
    "fit_budget": 200,
    "segments": 2,
    "horizon": 5,
    "iterations": 1,
    "candidates": 6,
    "bad": 1,
    "model_updates": 3,
    "fit_updates": 10,
    "hidden": 8,
    "refit_every": 150,
    "imagine_every": 1,
}
"""The real code, with next to nothing to fit."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSREWARD_CACHE", str(tmp_path / "cache"))
