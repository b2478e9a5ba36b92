"""The target's world model: later rounds take fewer gradient steps, after a restore too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.wrappers.dtw.conftest import PAIR
from transreward_envs import get_pair
from transreward_wrappers.datasets import Episode
from transreward_wrappers.dtw import DTW
from transreward_wrappers.dtw.target import TargetModel

pytestmark = pytest.mark.filterwarnings("ignore::transreward_wrappers.world_models.PoorModelWarning")

SETTINGS = DTW(model_updates=16)
FIRST, LATER = [(None, True), (None,)], [(4, False), (3,)]
"""What the model and its prior are told of a round: gradient steps, and of the model whether it begins afresh."""


def target_model() -> TargetModel:
    return TargetModel(SETTINGS, get_pair(PAIR), 4, 1)


def episodes(count: int = 4, steps: int = 40) -> list[Episode]:
    generator = np.random.default_rng(0)
    return [
        Episode(
            observations=generator.standard_normal((steps + 1, 4)),
            actions=generator.uniform(-1.0, 1.0, (steps, 1)),
            rewards=np.zeros(steps),
            terminated=False,
        )
        for _ in range(count)
    ]


def told(target: TargetModel, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Fit once more, for real, and return what the model and the prior were told."""
    found: list[tuple[Any, ...]] = []
    model, prior = target.model.fit, target.prior.fit

    def fit_model(store: Any, *, updates: int | None = None, afresh: bool = True) -> Any:
        found.append((updates, afresh))
        return model(store, updates=updates, afresh=afresh)

    def fit_prior(store: Any, *, updates: int | None = None) -> float:
        found.append((updates,))
        return prior(store, updates=updates)

    with monkeypatch.context() as patch:
        patch.setattr(target.model, "fit", fit_model)
        patch.setattr(target.prior, "fit", fit_prior)
        target.fit({"random": episodes()}, [])
    return found


def test_the_first_round_is_whole_and_later_ones_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_model()
    assert [told(target, monkeypatch) for _ in range(3)] == [FIRST, LATER, LATER]


def test_a_restored_model_goes_on_with_later_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, again = target_model(), target_model()
    told(target, monkeypatch)
    again.restore(tmp_path, target.tensors(), target.about())
    assert again.fitted
    assert again.model.digest() == target.model.digest()
    assert told(again, monkeypatch) == LATER
