"""The tables of a benchmark: a row a run, and a row an evaluation on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from transreward_baselines.benchmark.agents import read_curve
from transreward_baselines.benchmark.job import OUTCOME, Outcome, read_outcome
from transreward_baselines.benchmark.plan import RUNS
from transreward_baselines.results import Result, read_table
from transreward_envs import Pair, normalized_score


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow(Outcome):
    """A run that is over."""

    score: float | None
    """Its return in the target as 100 (J - J_random) / (J_expert - J_random); none where no references are measured."""

    robot: str

    sweep: str | None
    """The sweep that the pair is of."""

    severity: float | None
    """The pair's value in the sweep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveRow:
    """One evaluation of a run on the way."""

    pair: str
    agent: str
    method: str
    settings: str
    seed: int
    step: int
    source_steps: int
    target_steps: int
    target_return: float
    source_return: float | None
    seconds: float


RESULTS, CURVES = "results.csv", "curves.csv"

Curves = dict[RunRow, list[Result]]
"""The evaluations of runs, the oldest first."""

Key = tuple[str, str, str, int]
"""Pair, agent, contender and seed of a run."""


def finished(directory: Path) -> set[Key]:
    """Return the runs that a benchmark's tables have, whether their own directories are still there or not."""
    return {_key(row) for row in read_table(directory / RESULTS, RunRow)}


def read_runs(directory: Path, plan: Mapping[str, Any]) -> Curves:
    """Return the runs of a benchmark that are over, in the plan's order, with their evaluations.

    Those whose directories are gone are taken from the tables of the last report.

    Raises:
        RunDirectoryError: A table or an outcome cannot be read.
    """
    outcomes: dict[Key, tuple[Outcome, list[Result]]] = {}
    told: dict[Key, list[Result]] = {}
    for row in read_table(directory / CURVES, CurveRow):
        told.setdefault(_key(row), []).append(_result(row))
    for run in read_table(directory / RESULTS, RunRow):
        outcome = Outcome(**{field.name: getattr(run, field.name) for field in fields(Outcome)})
        outcomes[_key(run)] = outcome, told.get(_key(run), [])
    for path in sorted((directory / RUNS).glob(f"*/*/*/*/{OUTCOME}")):
        outcome = read_outcome(path)
        outcomes[_key(outcome)] = outcome, read_curve(path.parent, outcome.agent)
    curves = {_row(outcome, plan): curve for outcome, curve in outcomes.values()}
    orders = [{name: index for index, name in enumerate(plan[key])} for key in ("pairs", "agents", "methods")]

    def place(row: RunRow) -> tuple[int, ...]:
        names = (row.pair, row.agent, row.contender)
        return (*(order[name] for order, name in zip(orders, names, strict=True)), row.seed)

    return {row: curves[row] for row in sorted(curves, key=place)}


def curve_rows(curves: Curves) -> list[CurveRow]:
    """Return a row an evaluation."""
    return [
        CurveRow(
            pair=run.pair,
            agent=run.agent,
            method=run.method,
            settings=run.settings,
            seed=run.seed,
            step=result.step,
            source_steps=result.source_steps,
            target_steps=result.target_steps,
            target_return=result.target_return,
            source_return=None if math.isnan(result.source_return) else result.source_return,
            seconds=result.seconds,
        )
        for run, results in curves.items()
        for result in results
    ]


def _key(row: Outcome | CurveRow) -> Key:
    return row.pair, row.agent, f"{row.method}:{row.settings}" if row.settings else row.method, row.seed


def _result(row: CurveRow) -> Result:
    """Return what a table's row tells of an evaluation; spreads are not in it."""
    return Result(
        step=row.step,
        source_steps=row.source_steps,
        target_steps=row.target_steps,
        target_return=row.target_return,
        target_spread=math.nan,
        source_return=math.nan if row.source_return is None else row.source_return,
        source_spread=math.nan,
        seconds=row.seconds,
    )


def without_score(rows: Sequence[RunRow]) -> list[str]:
    """Return the names of the pairs that have no references."""
    return list(dict.fromkeys(row.pair for row in rows if row.score is None))


def _row(outcome: Outcome, plan: Mapping[str, Any]) -> RunRow:
    """Return an outcome with its score and its place in a sweep."""
    sweep = next((shift for shift, values in plan["sweeps"].items() if outcome.pair in values), None)
    severity = None if sweep is None else plan["sweeps"][sweep][outcome.pair]
    pair = Pair.from_json(plan["pairs"][outcome.pair])
    score = _score(pair, outcome.target_return)
    return RunRow(**asdict(outcome), score=score, robot=pair.robot, sweep=sweep, severity=severity)


def _score(pair: Pair, target_return: float) -> float | None:
    """Return a return in a pair's target as a score; none where no references are measured there."""
    try:
        return float(normalized_score(pair, target_return))
    except ValueError:
        return None
