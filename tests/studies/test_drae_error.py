"""How far estimates of values are off: rows that are kept, and what is refused before anything is run."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studies import drae_error
from studies import drae_error_tables as tables
from studies.drae_error_figure import draw
from transreward_baselines.results import read_table
from transreward_baselines.run_directory import RunDirectoryError

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
    assert {*tables.RIVALS, tables.TESTED[0], "DRaE, slide", f"{tables.TESTED[0]}{tables.NORMALISED}"} <= kinds
    assert len({(row.quality, row.horizon, row.estimator, row.clip) for row in rows}) == len(rows)
    assert np.isfinite([row.estimate for row in rows if row.estimator == "V"]).all()
    assert len({row.truth for row in rows}) == 1
    assert len(read_table(measured / "summary.csv", tables.Errors)) == len(rows)
    assert np.asarray(Image.open(measured / "errors.png")).std() > 10.0
    whole = [
        {row.estimate for row in rows if (row.quality, row.estimator, row.clip) == ("good", name, 2.0)}
        for name in ("importance sampling", "DRaE, interval")
    ]
    assert [len(found) for found in whole] == [1, 2], "importance sampling is over whole episodes at any horizon"


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


def row(estimator: str, clip: float, estimate: float, seed: int = 1, spread: float = 1.0) -> tables.Row:
    about = {"pair": "a pair", "settings": "", "quality": "good", "horizon": 10, "truth": 10.0, "truth_error": 0.1}
    return tables.Row(estimator=estimator, clip=clip, estimate=estimate, seed=seed, spread=spread, episodes=5, **about)


def test_a_rival_has_the_clip_that_is_best_for_it() -> None:
    rows = []
    for seed, off in ((1, 1.0), (2, -1.0)):
        rows += [row(*tables.TESTED, 10.0 + off, seed)]
        rows += [row(name, clip, 10.0 + clip * off, seed) for name in tables.RIVALS for clip in (2.0, 4.0)]
    ((_, seeds, found),) = tables.ratios(rows)
    assert seeds == 2
    assert [tables.told(found[name]) for name in tables.RIVALS] == ["0.25 [0.25, 0.25]"] * len(tables.RIVALS)


def test_kinds_are_compared_with_v_over_all_cases() -> None:
    rows = []
    for seed, off in ((1, 1.0), (2, -1.0)):
        for horizon, factor in ((10, 2.0), (100, 8.0)):
            values, ours = row("V", 0.0, 10.0 + off, seed), row(*tables.TESTED, 10.0 + factor * off, seed)
            rows += [dataclasses.replace(one, horizon=horizon) for one in (values, ours)]
    (cells,) = tables.kinds(rows)
    assert cells == ["", tables.TESTED[0], "2", "-", "16 [16, 16]"]  # the geometric mean of 4 and 64


def test_estimates_beyond_all_numbers_are_shown() -> None:
    huge = [
        row(name, 2.0, estimate, spread=1e200)
        for name, estimate in zip(tables.RIVALS, (1e200, np.nan, np.inf, 9.0, 8.0), strict=True)
    ]
    ((*_, found),) = tables.ratios([row(*tables.TESTED, 11.0), *huge])
    assert [tables.told(found[name]) for name in tables.RIVALS] == ["0"] * 3 + ["1", "0.25"]
    assert tables.errors_table(list(tables.summary(huge))).row_count == len(huge)


def test_a_ratio_of_what_has_overflowed_on_both_sides_is_none() -> None:
    rows = [row(*tables.TESTED, 11.0), row(*tables.TESTED, np.inf, seed=2)]
    rivals = [
        row("V", 0.0, 12.0),
        row("V", 0.0, np.nan, seed=2),
        row("fitted Q", 0.0, 8.0),
        row("fitted Q", 0.0, 8.0, 2),
    ]
    ((*_, found),) = tables.ratios(rows + rivals)
    assert [tables.told(found[name]) for name in tables.RIVALS] == ["-", "inf [0.25, inf]", "-", "-", "-"]
    assert tables.ratios_table(rows + rivals).row_count == 1


def test_a_single_episode_has_no_normalised_estimate() -> None:
    (one,) = tables.summary([row(tables.RIVALS[3], 2.0, 11.0)])
    assert np.isnan(one.of_one_episode)


@pytest.mark.parametrize("settings", ["", "input_noise=1.0"])
def test_what_is_measured_so_far_is_drawn(settings: str, tmp_path: Path) -> None:
    rows = [row(name, 2.0, 11.0) for name in tables.RIVALS]
    rows += [dataclasses.replace(one, pair="another pair", quality="poor") for one in rows]
    draw(list(tables.summary([dataclasses.replace(one, settings=settings) for one in rows])), tmp_path / "a.png")
    assert (tmp_path / "a.png").exists() == (settings == "")
