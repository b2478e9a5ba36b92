"""The report on domain classifiers: by transitions they did not learn from."""

import numpy as np
import pytest

from tests.wrappers.transitions import SOURCE, TARGET, LinearGaussian
from transreward_wrappers.darc import DARC
from transreward_wrappers.darc.report import _calibration, report
from transreward_wrappers.drae import DRaE


def learnt(source: LinearGaussian, target: LinearGaussian) -> DARC:
    darc = DARC(
        warmup=0, fit_budget=0, updates=400, update_every=20_000, batch_size=1_024, learning_rate=3e-3, hidden=32
    )
    darc.bind(2, 1)
    generator = np.random.default_rng(0)
    for _ in range(2):
        darc.update(source.sample(10_000, 0, generator))
        darc.update(target.sample(10_000, 1, generator))
    return darc


def test_classifiers_of_two_worlds_tell_transitions_apart_and_know_how_well() -> None:
    found = report(learnt(SOURCE, TARGET))
    assert 0.55 < found.of_triples.accuracy < 0.8
    assert abs(found.of_pairs.accuracy - 0.5) < 0.05
    assert found.of_triples.cross_entropy < found.of_pairs.cross_entropy < 0.75
    assert found.of_triples.calibration.error < 0.06
    assert {name: len(ratios) for name, ratios in found.log_ratios.items()} == {"source": 2_000, "target": 2_000}
    assert found.log_ratios["source"].mean() < 0.0 < found.log_ratios["target"].mean()
    assert found.rows["source"].shape == (2_000, 5)
    assert (found.observation_size, found.clip_rate) == (2, 0.0)


def test_classifiers_of_one_world_are_at_chance() -> None:
    found = report(learnt(SOURCE, SOURCE))
    for one in (found.of_pairs, found.of_triples):
        assert abs(one.accuracy - 0.5) < 0.05
        assert abs(one.cross_entropy - np.log(2.0)) < 0.02


def test_calibration_compares_what_is_said_with_what_is_found() -> None:
    said = np.array([0.05, 0.05, 0.15, 0.95, 0.95, 1.0])
    truth = np.array([False, True, False, True, True, False])
    found = _calibration(said, truth)
    np.testing.assert_allclose(found.said, [0.05, 0.15, (0.95 + 0.95 + 1.0) / 3.0])
    np.testing.assert_allclose(found.found, [0.5, 0.0, 2.0 / 3.0])
    assert list(found.count) == [2, 1, 3]
    assert found.error == pytest.approx((2 * 0.45 + 0.15 + 3 * 0.3) / 6.0)


def test_without_held_out_transitions_there_is_nothing_to_report() -> None:
    darc = DARC()
    darc.bind(2, 1)
    darc.update(SOURCE.sample(300, 0, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="they saw 300 and 0 of source and target. Train for longer"):
        report(darc)


def test_draes_classifiers_are_judged_as_darcs_are() -> None:
    drae = DRaE(warmup=0, fit_budget=0, updates=1, update_every=20_000, batch_size=64, hidden=8, value_updates=0)
    drae.bind(2, 1)
    generator = np.random.default_rng(0)
    drae.update(SOURCE.sample(10_000, 0, generator))
    drae.update(TARGET.sample(10_000, 1, generator))
    found = report(drae)
    assert found.clip == drae.largest_log_ratio == 20.0
    assert len(found.log_ratios["target"]) == 1_000
