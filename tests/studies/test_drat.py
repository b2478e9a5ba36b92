"""The comparison of ways of relabelling: rows that are kept, and what the table says of them."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from studies import drat as comparison
from transreward_baselines.meta.evaluation import MetaEvaluation
from transreward_baselines.results import read_table

TINY = [
    *("--steps", "60", "--set", "horizon=5", "train_tasks=2", "test_tasks=1", "tasks_per_update=2"),
    *("warmup_episodes=2", "hidden=8", "lookahead=2", "classifier_burst=1", "eval_lanes=1"),
    "eval_every=30",
]


def test_rows_come_one_a_meta_test_and_finished_runs_are_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TINY, "--out", str(tmp_path), "--methods", "none", "drae", "--seeds"]
    comparison.main([*words, "1"])
    monkeypatch.setattr(comparison.drat, "main", lambda args: pytest.fail("a finished run was run again"))
    comparison.main([*words, "1"])
    rows = read_table(tmp_path / "drat.csv", comparison.Row)
    assert sorted((row.method, row.seed, row.steps) for row in rows) == [
        (method, 1, steps) for method in ("drae", "none") for steps in (30, 60)
    ]
    assert (tmp_path / "drat.png").stat().st_size > 0
    assert "drae - none" in capsys.readouterr().out


def test_a_row_has_the_returns_of_its_own_meta_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = comparison.drat.Args(seed=4)
    found = [
        MetaEvaluation(
            step=step,
            seconds=step / 10,
            adaptation_episodes=count,
            return_mean=float(step + count),
            return_std=0.0,
            success=count / 4,
            episodes=20,
        )
        for step in (10, 20)
        for count in range(comparison.EPISODES + 1)
    ]
    monkeypatch.setattr(comparison.drat, "main", lambda args: found)
    comparison.perform(args, "plain", tmp_path / "plain-4.csv")
    rows = read_table(tmp_path / "plain-4.csv", comparison.Row)
    assert [(row.method, row.seed, row.steps, row.success, row.seconds) for row in rows] == [
        ("plain", 4, 10, 0.75, 1.0),
        ("plain", 4, 20, 0.75, 2.0),
    ]
    assert [row.returns for row in rows] == [[10.0, 11.0, 12.0, 13.0], [20.0, 21.0, 22.0, 23.0]]


def row(method: str, seed: int, *returns: float, steps: int = 2) -> comparison.Row:
    told = {f"return_{count}": value for count, value in enumerate(returns)}
    return comparison.Row(robot="Hopper", method=method, seed=seed, steps=steps, success=1.0, seconds=1.0, **told)


def test_the_table_has_means_intervals_and_differences_of_seeds() -> None:
    rows = [row("none", seed, 0.0, 1.0, 2.0, float(seed)) for seed in (1, 2, 3)]
    rows += [row("drae", seed, 0.0, 1.0, 2.0, float(seed) + 2.0) for seed in (3, 2)]
    rows += [row(name, seed, 9.0, 9.0, 9.0, float(seed), steps=1) for name in ("none", "drae") for seed in (1, 2, 3)]
    rows = [one for one in rows if (one.method, one.seed) != ("drae", 1)]
    text = io.StringIO()
    Console(file=text, width=140).print(comparison.table(rows))
    lines = {line.split("  ")[0].strip(): line for line in text.getvalue().splitlines()}
    assert "2.0 [1.0, 3.0]" in lines["none"]
    assert "4.5 [4.0, 5.0]" in lines["drae"]
    nothing, last, over_training = "0.0 [0.0, 0.0]", "2.0 [2.0, 2.0]", "1.0 [1.0, 1.0]"
    assert re.split(r" {2,}", lines["drae - none"].strip())[2:] == [*[nothing] * 3, last, over_training]
    assert "plain - none" not in lines


@pytest.mark.parametrize("setting", ["strech=2.0", "seed=3", "relabelling=plain"])
def test_a_setting_that_cannot_be_leaves_no_directory(setting: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"settings of drat.py, .*stretch"):
        comparison.main(["--set", setting, "--out", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()
