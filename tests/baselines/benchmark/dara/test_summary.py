"""What DARA gains, by hand; and the paper's figures beside ours."""

from pathlib import Path

import numpy as np
import pytest

from transreward_baselines.benchmark.dara import report as reports
from transreward_baselines.benchmark.dara.command import TableArgs
from transreward_baselines.benchmark.dara.report import report
from transreward_baselines.benchmark.dara.rows import Row, add_rows
from transreward_baselines.benchmark.dara.summary import ALL, differences, gains_of, scores_of, verdicts_of
from transreward_baselines.benchmark.dara.terms import claim
from transreward_baselines.benchmark.statistics import mean_of_means

PAIR = "Hopper-dara-mass"


def row(score: float, amount: str, seed: int, quality: str = "medium", algorithm: str = "awr") -> Row:
    return Row(
        pair=PAIR,
        quality=quality,
        algorithm=algorithm,
        amount=amount,
        seed=seed,
        updates=1,
        score=score,
        return_mean=score,
        return_std=0.0,
        episodes=1,
        seconds=0.0,
        runs=1,
    )


ROWS = [
    *(row(score, "1T+10S", seed) for seed, score in enumerate((10.0, 30.0))),
    *(row(score, "1T+10S-dara", seed) for seed, score in enumerate((14.0, 36.0, 90.0))),
    row(50.0, "1T+10S", 0, quality="random"),
    row(48.0, "1T+10S-dara", 0, quality="random"),
    row(1.0, "1T+10S", 0, algorithm="iql"),
    row(1.0, "1T+10S-dara", 0, algorithm="iql"),
    row(7.0, "10T", 0),
]


def test_a_gain_is_between_runs_of_a_seed() -> None:
    found = differences(ROWS)
    assert found[PAIR, "medium", "awr"] == {0: 4.0, 1: 6.0}
    assert found[PAIR, "random", "awr"] == {0: -2.0}
    gains = {(one.quality, one.algorithm): one for one in gains_of(found)}
    first = gains["medium", "awr"]
    assert (first.gain, first.low, first.high, first.seeds) == (5.0, 4.0, 6.0, 2)
    assert (gains["random", "awr"].gain, gains["random", "awr"].low) == (-2.0, None)


def test_cells_are_won_above_zero_and_count_alike() -> None:
    verdicts = {one.algorithm: one for one in verdicts_of(differences(ROWS))}
    assert {name: (one.won, one.cells, one.gain) for name, one in verdicts.items()} == {
        "awr": (1, 2, 1.5),
        "iql": (0, 1, 0.0),
        ALL: (1, 3, 1.0),
    }


def test_what_algorithms_share_of_a_seed_is_not_counted_as_often_as_there_are_algorithms() -> None:
    shared = np.random.default_rng(0).normal(size=20)
    own = {seed: float(value) for seed, value in enumerate(shared)}
    alone, many = (
        {one.algorithm: one for one in verdicts_of({(PAIR, "medium", name): own for name in names})}
        for names in (["awr", "iql"], ["awr", "bcq", "bear", "cql", "iql", "mopo"])
    )
    assert alone[ALL].low == pytest.approx(many[ALL].low)
    assert many[ALL].high - many[ALL].low == pytest.approx(many["awr"].high - many["awr"].low)
    ragged = {(PAIR, "medium", "awr"): own, (PAIR, "medium", "iql"): {0: 1.0}}
    assert verdicts_of(ragged)[-1].low is None


def test_a_mean_of_means_has_an_interval_by_seeds_within_cells() -> None:
    rng = np.random.default_rng(0)
    cells = [rng.normal(mean, 1.0, size=20) for mean in (0.0, 100.0)]
    found = mean_of_means([one[None] for one in cells])
    deviation = np.sqrt(2 / 20) / 2
    assert found.value == pytest.approx(np.mean(cells))
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.3)
    few = [np.zeros(3), np.full(1, 4.0)]
    alone = mean_of_means([one[None] for one in few])
    assert (alone.value, alone.low) == (2.0, None)


def test_a_mean_lies_in_its_interval_where_algorithms_have_other_seeds() -> None:
    gains = {
        (PAIR, "medium", "cql"): dict(enumerate((50.0, 50.0, 50.0, 0.0, 0.0))),
        (PAIR, "medium", "awr"): {3: 0.0, 4: 0.0},
    }
    everything = verdicts_of(gains)[-1]
    assert everything.gain == pytest.approx((30.0 + 0.0) / 2)
    assert everything.low < everything.gain < everything.high


def test_a_run_that_diverged_is_in_no_mean_and_is_told(tmp_path: Path) -> None:
    lost = float("nan")
    rows = [
        *(row(score, "1T+10S", seed) for seed, score in enumerate((10.0, lost, 30.0))),
        *(row(score, "1T+10S-dara", seed) for seed, score in enumerate((14.0, 20.0, lost))),
        row(lost, "10T", 0),
    ]
    assert differences(rows) == {(PAIR, "medium", "awr"): {0: 4.0}}
    scores = {one.amount: one for one in scores_of(rows, {})}
    assert (scores["1T+10S"].score, scores["1T+10S"].seeds, scores["1T+10S"].diverged) == (20.0, 3, 1)
    claim(tmp_path, TableArgs(table="dara"))
    add_rows(tmp_path, rows)
    report(tmp_path)
    page = (tmp_path / "table.md").read_text()
    assert "| diverged | 20.0 ± 14.1, 1 diverged | 17.0 ± 4.2, 1 diverged | +4.0 |" in page
    assert "has diverged, and is in no mean" in page


def test_scores_are_means_over_seeds_beside_the_papers() -> None:
    scores = {(one.quality, one.amount): one for one in scores_of(ROWS[:5], {(PAIR, "medium", "awr", "1T+10S"): 9.0})}
    one = scores["medium", "1T+10S"]
    assert (one.score, one.score_std, one.seeds, one.published) == (20.0, pytest.approx(200.0**0.5), 2, 9.0)
    assert scores["medium", "1T+10S-dara"].published is None


def test_columns_of_the_paper_are_there_where_it_has_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim(tmp_path, TableArgs(table="dara"))
    report(tmp_path)
    assert not (tmp_path / "table.md").exists(), "no run is over"
    add_rows(tmp_path, ROWS)
    report(tmp_path)
    page = (tmp_path / "table.md").read_text()
    assert "paper" not in page
    assert "| medium | awr | 1 - 3 | 7.0 ± 0.0 | 20.0 ± 14.1 | 46.7 ± 39.1 | +5.0 [+4.0, +6.0] |" in page
    assert "| all | 1 of 3 | +1.0 |" in page
    assert "Cells where it does not win: Hopper-dara-mass/random, awr (-2.0); Hopper-dara-mass/medium, iql" in page
    monkeypatch.setattr(reports, "published_scores", lambda: {(PAIR, "medium", "awr", "10T"): 9.5})
    report(tmp_path)
    page = (tmp_path / "table.md").read_text()
    assert "| data | algorithm | seeds | 10T | 10T, paper | 1T+10S |" in page
    assert "| medium | awr | 1 - 3 | 7.0 ± 0.0 | 9.5 | 20.0" in page
    assert "in their order alone" in page


def test_rows_that_are_there_are_kept(tmp_path: Path) -> None:
    add_rows(tmp_path, ROWS[:2])
    add_rows(tmp_path, [row(99.0, "1T+10S", 0), ROWS[2]])
    text = (tmp_path / "results.csv").read_text()
    assert "99.0" not in text
    assert len(text.splitlines()) == 4
