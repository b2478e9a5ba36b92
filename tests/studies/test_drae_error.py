"""How far estimates of values are off: rows that are kept, and what is refused before anything is run."""

import dataclasses
import inspect
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studies import drae_error
from studies import drae_error_tables as tables
from studies.drae_error_figure import draw
from transreward_baselines.benchmark.statistics import Estimate
from transreward_baselines.results import read_table
from transreward_baselines.run_directory import RunDirectoryError
from transreward_wrappers.drae import DRaE

TINY = ["--pairs", "Hopper-mass-2.0", "--episodes", "2", "--rollouts", "2", "--updates", "2", "--seeds", "1"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("drae-error")
    drae_error.main([*TINY, "--horizons", "5", "10", "--out", str(out)])
    return out


def test_each_estimator_has_a_row_in_each_case(measured: Path) -> None:
    rows = read_table(measured / "errors.csv", drae_error.Row)
    assert {(row.quality, row.horizon) for row in rows} == {(q, h) for q in ("poor", "good") for h in (5, 10)}
    kinds = {row.estimator for row in rows}
    rivals = {name for names in tables.RIVALS.values() for name in names}
    assert rivals | {tables.TESTED[0], "DRaE, slide", f"{tables.TESTED[0]}{tables.NORMALISED}"} <= kinds
    assert len({(row.quality, row.horizon, row.estimator, row.clips) for row in rows}) == len(rows)
    assert np.isfinite([row.estimate for row in rows if row.estimator == "V"]).all()
    assert len({row.truth for row in rows}) == 1
    assert len(read_table(measured / "summary.csv", tables.Errors)) == len(rows)
    assert np.asarray(Image.open(measured / "errors.png")).std() > 10.0
    whole = [
        {row.estimate for row in rows if (row.quality, row.estimator, row.clips) == ("good", name, (2.0, 2.0))}
        for name in ("importance sampling, interval", "DRaE, interval")
    ]
    assert [len(found) for found in whole] == [1, 2], "importance sampling is over whole episodes at any horizon"


def test_each_estimate_has_the_ratio_and_the_clips_that_it_is_named_for(measured: Path) -> None:
    rows = read_table(measured / "errors.csv", drae_error.Row)
    found = {(row.estimator, *row.clips): row.estimate for row in rows if (row.quality, row.horizon) == ("good", 10)}
    for name in ("importance sampling, one", f"importance sampling, one{tables.NORMALISED}", "DRaE, one"):
        assert found[name, 1.0, 1.0] == found[name, 2.0, 1.0], "where the ratio of dynamics is 1 its clip does nothing"
        assert found[name, 2.0, 1.0] != found[name, 2.0, 2.0], "that of policies does"
    for clips in drae_error.CLIPS:
        assert found["DRaE, one", *clips] == pytest.approx(found["direct, unit ratios", *clips])
        for name in (
            "DRaE, {}",
            "DRaE, {}, normalised",
            "importance sampling, {}",
            "importance sampling, {}, normalised",
        ):
            assert found[name.format("one"), *clips] != found[name.format("classifier"), *clips]


def test_what_is_measured_is_not_measured_again(measured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (measured / "errors.csv").read_bytes()
    monkeypatch.setattr(drae_error, "run", lambda *_: pytest.fail("what is measured was measured again"))
    drae_error.main([*TINY, "--horizons", "5", "10", "--out", str(measured)])
    assert (measured / "errors.csv").read_bytes() == before


def test_a_directory_is_of_one_size(measured: Path) -> None:
    with pytest.raises(RunDirectoryError, match="horizons"):
        drae_error.main([*TINY, "--horizons", "100", "--out", str(measured)])


@pytest.mark.parametrize(("name", "value"), [("seeds", "-1"), ("horizons", "0"), ("updates", "0"), ("rollouts", "0")])
def test_a_number_that_cannot_be_leaves_no_directory(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be an integer >= .*; got {value}"):
        drae_error.main([*TINY, f"--{name}", value, "--out", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("setting", "message"), [("input_noisy=1.0", "input_noise"), ("gamma=0.9", "gamma")])
def test_a_setting_that_cannot_be_leaves_no_directory(setting: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        drae_error.main([*TINY, "--set", setting, "--out", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


NO_CLIPS = (0.0, 0.0)
FIRST = {rival: names[0] for rival, names in tables.RIVALS.items()}


def row(
    estimator: str, clips: tuple[float, float], estimate: float, seed: int = 1, spread: float = 1.0, horizon: int = 10
) -> tables.Row:
    about = {"pair": "a pair", "settings": "", "quality": "good", "truth": 10.0, "truth_error": 0.1, "episodes": 5}
    clip, policy_clip = clips
    of = {"estimator": estimator, "clip": clip, "policy_clip": policy_clip, "horizon": horizon}
    return tables.Row(estimate=estimate, seed=seed, spread=spread, **of, **about)


def told(rows: list[tables.Row], *, equal_clips: bool = False) -> list[str]:
    ((*_, found),) = tables.ratios(rows, equal_clips=equal_clips)
    return [tables.told(found[rival]) for rival in tables.RIVALS]


def test_drae_is_tested_as_it_is_by_default() -> None:
    drae = inspect.signature(DRaE.trajectory_added).parameters
    assert ("DRaE, interval", (2.0, drae["clip"].default)) == tables.TESTED


@pytest.mark.parametrize(("equal_clips", "shown"), [(False, "0.25 [0.25, 0.25]"), (True, "0.04 [0.04, 0.04]")])
def test_a_rival_has_the_ratio_and_clips_that_are_best_for_it(equal_clips: bool, shown: str) -> None:
    rows = []
    for seed, off in ((1, 1.0), (2, -3.0)):  # seeds drawn for one and not for the other would give an interval
        rows += [row(*tables.TESTED, 10.0 + off, seed)]
        rows += [row(names[0], tables.TESTED[1], 10.0 + 10.0 * off, seed) for names in tables.RIVALS.values()]
        rows += [row(names[-1], tables.TESTED[1], 10.0 + 5.0 * off, seed) for names in tables.RIVALS.values()]
        rows += [row(names[-1], (5.0, 5.0), 10.0 + 2.0 * off, seed) for names in tables.RIVALS.values()]
    assert told(rows, equal_clips=equal_clips) == [shown] * len(tables.RIVALS)


def test_kinds_are_compared_with_v_over_all_cases() -> None:
    rows = []
    for seed, off in ((1, 1.0), (2, -1.0)):
        for horizon, factor in ((10, 2.0), (100, 8.0)):
            rows.append(row("V", NO_CLIPS, 10.0 + off, seed, horizon=horizon))
            rows.append(row(*tables.TESTED, 10.0 + factor * off, seed, horizon=horizon))
    (cells,) = tables.kinds(rows)
    assert cells == ["", tables.TESTED[0], "2, 1", "-", "16 [16, 16]"]  # the geometric mean of 4 and 64


def test_estimates_beyond_all_numbers_are_shown() -> None:
    estimates = (1e200, np.nan, np.inf, 9.0, 8.0)
    pairs = zip(FIRST.values(), estimates, strict=True)
    huge = [row(name, (2.0, 2.0), estimate, spread=1e200) for name, estimate in pairs]
    assert told([row(*tables.TESTED, 11.0), *huge]) == ["0"] * 3 + ["1", "0.25"]
    assert tables.errors_table(list(tables.summary(huge))).row_count == len(huge)


def test_a_ratio_of_what_has_overflowed_on_both_sides_is_none() -> None:
    rows = [row(*tables.TESTED, 11.0), row(*tables.TESTED, np.inf, seed=2)]
    rows += [row("V", NO_CLIPS, 12.0), row("V", NO_CLIPS, np.nan, seed=2)]
    rows += [row("fitted Q", NO_CLIPS, 8.0, seed) for seed in (1, 2)]
    assert told(rows) == ["-", "inf [0.25, inf]", "-", "-", "-"]
    assert tables.ratios_table(rows).row_count == 1


def test_large_and_small_ratios_are_told_alike() -> None:
    assert tables.told(Estimate(value=163.2, low=97.4, high=12_345.0)) == "163 [97, 1.2e+04]"
    assert tables.told(Estimate(value=0.000123)) == "0.00012"


def test_a_single_episode_has_no_normalised_estimate() -> None:
    (one,) = tables.summary([row(f"importance sampling, one{tables.NORMALISED}", (2.0, 2.0), 11.0)])
    assert np.isnan(one.of_one_episode)


@pytest.mark.parametrize("settings", ["", "input_noise=1.0"])
def test_what_is_measured_so_far_is_drawn(settings: str, tmp_path: Path) -> None:
    rows = [row(name, tables.TESTED[1], 11.0) for name in FIRST.values()]
    rows += [dataclasses.replace(one, pair="another pair", quality="poor") for one in rows]
    draw(list(tables.summary([dataclasses.replace(one, settings=settings) for one in rows])), tmp_path / "a.png")
    assert (tmp_path / "a.png").exists() == (settings == "")
