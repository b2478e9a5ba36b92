"""Tables, statistics and figures of runs whose outcomes are known."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from transreward_baselines.benchmark import curves, figures
from transreward_baselines.benchmark.choose import make_plan
from transreward_baselines.benchmark.command import BenchmarkArgs
from transreward_baselines.benchmark.job import Job, Outcome
from transreward_baselines.benchmark.plan import claim
from transreward_baselines.benchmark.report import report
from transreward_baselines.benchmark.table import RunRow
from transreward_baselines.plot import METHOD_COLOURS, colours_of
from transreward_baselines.results import Evaluation, Result, write_results, write_rows
from transreward_baselines.run_directory import RunDirectoryError
from transreward_envs.references import reference_returns

PLAIN, SCORED = "InvertedPendulum-gravity-2.0", "Hopper-dara-mass"
"""A pair whose target has no references, and one whose target is the plain robot."""

RETURNS = {"source": (10.0, 20.0), "target": (30.0, 50.0), "mixture": (20.0, 40.0), "darc:eta=0.5": (60.0, 60.0)}
"""What two seeds return in the target at the end; half of it on the way."""


def make_jobs(out: Path, **changes: object) -> list[Job]:
    shared = {"pairs": (PLAIN, SCORED), "methods": tuple(RETURNS), "agents": ("sb3-ppo",), "seeds": (0, 1)}
    plan = make_plan(BenchmarkArgs(**{**shared, "source_steps": 1_000, "target_steps": 100, **changes}))
    claim(out, plan)
    return list(plan.jobs(out))


def end(job: Job, returned: float) -> None:
    """Write what a run leaves behind that returned so much."""
    target = 0 if job.contender.method == "source" else 100
    source = 0 if job.contender.suffix == "target" else 1_000
    spent = {"source_steps": source, "target_steps": target, "step": source + target, "seconds": 1.0}
    half = {"source_steps": source // 2, "target_steps": target // 2, "step": (source + target) // 2, "seconds": 0.5}
    results = [
        Result(target_return=value, target_spread=1.0, source_return=2.0 * value, source_spread=1.0, **steps)
        for value, steps in ((returned / 2, half), (returned, spent))
    ]
    write_results(job.directory, results)
    Outcome(
        pair=job.pair.name,
        agent=job.agent,
        method=job.contender.method,
        settings=job.contender.variant,
        seed=job.seed,
        target_return=returned,
        target_std=1.0,
        source_return=2.0 * returned,
        source_std=1.0,
        episodes=30,
        **spent,
    ).write(job.outcome)


def end_all(out: Path, **changes: object) -> list[Job]:
    jobs = make_jobs(out, **changes)
    for job in jobs:
        end(job, RETURNS[job.contender.name][job.seed])
    return jobs


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def summary_of(out: Path, pair: str, method: str) -> dict[str, str]:
    (row,) = [row for row in rows_of(out / "summary.csv") if row["pair"] == pair and row["method"] == method]
    return row


def test_a_row_a_run_tells_what_it_returned_and_spent(tmp_path: Path) -> None:
    end_all(tmp_path)
    report(tmp_path)
    rows = rows_of(tmp_path / "results.csv")
    assert len(rows) == 16
    assert [row["pair"] for row in rows] == [PLAIN] * 8 + [SCORED] * 8
    assert [row["method"] for row in rows[:8:2]] == ["source", "target", "mixture", "darc"]
    low, high = reference_returns(SCORED)
    row = rows[-1]
    assert (row["settings"], row["seed"], row["source_steps"], row["target_steps"]) == ("eta=0.5", "1", "1000", "100")
    assert (float(row["target_return"]), float(row["source_return"]), row["episodes"]) == (60.0, 120.0, "30")
    assert float(row["score"]) == pytest.approx(100.0 * (60.0 - low) / (high - low))
    assert {row["score"] for row in rows[:8]} == {""}
    curve = rows_of(tmp_path / "curves.csv")
    assert len(curve) == 32
    assert [(row["step"], row["target_steps"], row["target_return"]) for row in curve[-2:]] == [
        ("550", "50", "30.0"),
        ("1100", "100", "60.0"),
    ]


def test_contenders_are_summed_up_in_a_pair(tmp_path: Path) -> None:
    end_all(tmp_path)
    report(tmp_path)
    found = {method: summary_of(tmp_path, PLAIN, method) for method in ("source", "target", "mixture", "darc")}
    assert {row["measure"] for row in found.values()} == {"return"}
    assert [float(row["iqm"]) for row in found.values()] == [15.0, 40.0, 30.0, 60.0]
    mixture = found["mixture"]
    assert (float(mixture["iqm_low"]), float(mixture["iqm_high"]), float(mixture["median"])) == (20.0, 40.0, 30.0)
    assert (mixture["runs"], float(mixture["source_steps"]), float(mixture["target_steps"])) == ("2", 1_000.0, 100.0)
    # 20 and 40 against 10 and 20: three wins and a tie
    assert float(mixture["over_source"]) == pytest.approx(3.5 / 4)
    assert mixture["over_mixture"] == found["source"]["over_source"] == ""
    assert [float(row["over_mixture"]) for row in found.values() if row is not mixture] == [0.5 / 4, 3 / 4, 1.0]
    assert [row["over_target"] for row in found.values()] == ["0.0", "", "0.25", "1.0"]


def test_a_comparison_that_nothing_is_in_has_no_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for job in make_jobs(tmp_path, pairs=(SCORED,), methods=("target", "reward-transfer:estimator=policy")):
        end(job, 1.0 if job.contender.name == "target" else 2.0)
    report(tmp_path)
    for text in ((tmp_path / "summary.md").read_text(), capsys.readouterr().out):
        assert "P(> target)" in text
        assert "P(> mixture)" not in text
        assert "P(> source)" not in text


def test_the_steps_to_what_target_only_returns_are_told(tmp_path: Path) -> None:
    end_all(tmp_path)
    report(tmp_path)
    steps = {method: summary_of(tmp_path, PLAIN, method)["steps_to_target"] for method in RETURNS if ":" not in method}
    assert {method: float(value) for method, value in steps.items()} == {
        "source": math.inf,
        "target": 100.0,
        "mixture": math.inf,
    }
    assert float(summary_of(tmp_path, PLAIN, "darc")["steps_to_target"]) == 100.0  # 30 halfway is not 40 yet
    page = (tmp_path / "summary.md").read_text()
    assert "| not reached |" in page
    assert f"No references are measured in {PLAIN}: what is shown there is the return itself." in page


def test_pairs_are_taken_together_by_their_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end_all(tmp_path, pairs=(PLAIN, SCORED, "Hopper-dara-jointnoise"))
    report(tmp_path)
    together, alone = (summary_of(tmp_path, pair, "mixture") for pair in ("all", SCORED))
    assert (together["measure"], together["pairs"], together["runs"]) == ("score", "2", "4")
    assert float(together["iqm"]) == pytest.approx(float(alone["iqm"]))  # the other pair has the same target
    assert together["steps_to_target"] == ""
    text = capsys.readouterr().out
    assert "2 pairs together, sb3-ppo: score in the target" in text
    assert "Left out of the pairs together, sb3-ppo, because a contender has no run there, or references are" in text
    assert "DARC (eta=0.5)" in text


def test_only_pairs_that_all_contenders_have_are_taken_together(tmp_path: Path) -> None:
    pairs = (PLAIN, "InvertedPendulum-mass-2.0", "InvertedPendulum-mass-0.5")
    for job in make_jobs(tmp_path, pairs=pairs, methods=("source", "mixture")):
        if job.pair.name != pairs[2] or job.contender.name != "mixture":
            end(job, 1.0 if job.contender.name == "source" else 2.0)
    report(tmp_path)
    together = summary_of(tmp_path, "all", "mixture")
    assert (together["pairs"], together["runs"], together["iqm"], together["over_source"]) == ("2", "4", "", "1.0")


def test_every_pair_agent_and_sweep_has_its_figure(tmp_path: Path) -> None:
    end_all(tmp_path, pairs=(PLAIN,), agents=("sb3-ppo", "sb3-sac"), sweep=("mass", "0.5:2:4"), robots=("Hopper",))
    report(tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    pairs = [PLAIN, *(f"Hopper-mass-{scale}" for scale in (0.5, 1.5, 2.0))]
    agents = ("sb3-ppo", "sb3-sac")
    curves = {f"curves/{pair}-{agent}.png" for pair in pairs for agent in agents}
    assert names == {"severity-mass.png", *(f"iqm-{agent}.png" for agent in agents), *curves}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.rglob("*.png"))
    swept = [row for row in rows_of(tmp_path / "results.csv") if row["sweep"]]
    assert {(row["robot"], row["sweep"], float(row["severity"])) for row in swept} == {
        ("Hopper", "mass", scale) for scale in (0.5, 1.5, 2.0)
    }


def test_who_spends_other_target_steps_is_a_line_among_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[dict[str, tuple[list[float], str]]] = []

    def look(figure: Any, path: Path) -> Path:
        for panel in figure.axes:
            lines = {line.get_label(): line for line in panel.lines}
            panels.append(
                {
                    name: ([line.get_xdata()[-1], line.get_ydata()[-1]], line.get_linestyle())
                    for name, line in lines.items()
                }
            )
        return path

    monkeypatch.setattr(curves, "save", look)
    end_all(tmp_path, pairs=(PLAIN,))
    report(tmp_path)
    left, right = panels
    assert left == {
        "source only": ([1.0, 15.0], "--"),  # over the panel's whole width
        "target only": ([100.0, 40.0], "-"),
        "mixture": ([100.0, 30.0], "-"),
        "DARC (eta=0.5)": ([100.0, 60.0], "-"),
    }
    assert {name: ends for name, (ends, _) in right.items()} == {
        "source only": [1_000.0, 15.0],
        "target only": [100.0, 40.0],
        "mixture": [1_100.0, 30.0],
        "DARC (eta=0.5)": [1_100.0, 60.0],
    }


def test_runs_of_the_scripts_here_are_read_as_those_of_stable_baselines(tmp_path: Path) -> None:
    (job,) = make_jobs(tmp_path, pairs=(PLAIN,), methods=("mixture",), agents=("ppo",), seeds=(0,))
    end(job, 40.0)
    rows = [
        Evaluation(
            step=step,
            seconds=1.0,
            domain=domain,
            return_mean=float(step),
            return_std=0.0,
            episodes=2,
            source_steps=step - 5,
            target_steps=5,
        )
        for step in (10, 20)
        for domain in ("target", "source")
    ]
    write_rows(job.directory, rows, Evaluation)
    report(tmp_path)
    curve = rows_of(tmp_path / "curves.csv")
    assert [(row["step"], row["source_steps"], row["target_return"]) for row in curve] == [
        ("10", "5", "10.0"),
        ("20", "15", "20.0"),
    ]


def test_a_directory_without_a_finished_run_has_nothing_to_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = make_jobs(tmp_path)
    report(tmp_path)
    assert "No run is over yet." in capsys.readouterr().out
    jobs[0].directory.mkdir(parents=True)
    jobs[0].outcome.write_text('{"pair": "Hopper"}')
    with pytest.raises(RunDirectoryError, match="is not what a run came to"):
        report(tmp_path)


def test_no_two_contenders_have_one_colour() -> None:
    names = [*METHOD_COLOURS, "target-10x", "darc:eta=0.1", "darc:eta=0.5", "mixture:target_ratio=0.5", "mine"]
    colours = colours_of(names)
    assert len(set(colours.values())) == len(names)
    assert all(colours[name] == colour for name, colour in METHOD_COLOURS.items())
    assert colours_of(["darc:eta=0.1", "drae", "dara", "target-10x"])["dara"] == METHOD_COLOURS["dara"]


def a_row(*, robot: str, contender: str, sweep: str, severity: float) -> RunRow:
    method, _, settings = contender.partition(":")
    counts = dict.fromkeys(("seed", "step", "source_steps", "target_steps", "episodes"), 1)
    figures_ = dict.fromkeys(("target_return", "target_std", "seconds"), severity)
    none = dict.fromkeys(("source_return", "source_std", "score"))
    pair = f"{robot}-{sweep}-{severity}"
    names = {"pair": pair, "agent": "ppo", "method": method, "settings": settings, "robot": robot, "sweep": sweep}
    return RunRow(**names, **counts, **figures_, **none, severity=severity)


def test_a_contender_has_one_colour_in_all_panels_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, str]] = []
    plain = figures._draw_line
    monkeypatch.setattr(
        figures,
        "_draw_line",
        lambda panel, runs, colour: (drawn.append((runs[0].contender, colour)), plain(panel, runs, colour)),
    )
    panels = {"Hopper": ("target", "target-10x", "darc:eta=0.1"), "Walker2d": ("target", "darc:eta=0.1")}
    rows = [
        a_row(robot=robot, contender=contender, sweep="mass", severity=severity)
        for robot, contenders in panels.items()
        for contender in contenders
        for severity in (1.5, 2.0)
    ]
    figures.draw_severity(rows, tmp_path)
    assert len(drawn) == 5
    assert len(dict(drawn)) == len(set(drawn)) == 3
