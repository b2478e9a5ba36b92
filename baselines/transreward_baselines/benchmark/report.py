"""What a benchmark leaves behind: tables, a page to paste, and figures, of all runs in its directory that are over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock
from rich.table import Table

from transreward_baselines.benchmark.curves import draw_curves
from transreward_baselines.benchmark.figures import draw_estimates, draw_severity
from transreward_baselines.benchmark.plan import read_plan
from transreward_baselines.benchmark.summary import ALL, Summary, comparable_pairs, summarise
from transreward_baselines.benchmark.table import (
    CURVES,
    RESULTS,
    CurveRow,
    RunRow,
    curve_rows,
    read_runs,
    without_score,
)
from transreward_baselines.console import console
from transreward_baselines.plot import contender_label
from transreward_baselines.results import write_table
from transreward_wrappers.storage import write_bytes

MEDIAN = "median [95 %]"
NOTHING = "-"
COLUMNS = (
    "contender",
    "runs",
    "source steps",
    "target steps",
    "IQM [95 %]",
    MEDIAN,
    "P(> mixture) [95 %]",
    "P(> source) [95 %]",
    "P(> target) [95 %]",
    "target steps to target only",
)

FEW = 6
"""Tables that are all printed; of more, those over pairs together alone."""


def report(directory: Path) -> None:
    """Write tables and figures of the runs that are over, and print the table that sums them up."""
    with FileLock(directory / ".report.lock"):
        plan = read_plan(directory)
        curves = read_runs(directory, plan)
        if not curves:
            print("No run is over yet.")
            return
        runs, summaries = list(curves), summarise(curves)
        write_table(directory / RESULTS, runs, RunRow)
        write_table(directory / CURVES, curve_rows(curves), CurveRow)
        write_table(directory / "summary.csv", summaries, Summary)
        write_bytes(directory / "summary.md", _page(runs, summaries).encode())
        figures = [*draw_estimates(summaries, directory), *draw_severity(runs, directory)]
        draw_curves(curves, directory / "curves", target_steps=plan["terms"]["target_steps"])
    tables = _tables(summaries)
    for title, group in tables.items():
        together = any(one.pair == ALL and one.agent == group[0].agent for one in summaries)
        if group[0].pair == ALL or not together or len(tables) <= FEW:
            console().print(_table(title, group))
    print("\n".join(_notes(runs)))
    for path in (*(directory / name for name in ("summary.md", RESULTS)), *figures, directory / "curves"):
        print(f"  {path}")


def _tables(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """Return the summaries table by table, by title."""
    tables: dict[str, list[Summary]] = {}
    for one in summaries:
        where = f"{one.pairs} pairs together" if one.pair == ALL else one.pair
        tables.setdefault(f"{where}, {one.agent}: {one.measure} in the target", []).append(one)
    return tables


def _table(title: str, summaries: Sequence[Summary]) -> Table:
    table = Table(title=title, caption="last policy, not best; steps of fitting a compensation included", box=None)
    columns = {name: cells for name, cells in _columns(summaries).items() if name != MEDIAN}  # for want of room
    for column in columns:
        left = column == "contender"
        cells = {"justify": "left", "overflow": "fold"} if left else {"justify": "right", "no_wrap": True}
        table.add_column(column.replace("[", r"\["), **cells)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    return table


def _page(runs: Sequence[RunRow], summaries: Sequence[Summary]) -> str:
    """Return the tables as Markdown."""
    lines: list[str] = []
    for title, group in _tables(summaries).items():
        columns = _columns(group)
        lines += [f"## {title}", "", _line(list(columns)), _line(["---"] * len(columns))]
        lines += [*(_line(row) for row in zip(*columns.values(), strict=True)), ""]
    return "\n".join([*lines, *_notes(runs)]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _columns(summaries: Sequence[Summary]) -> dict[str, tuple[str, ...]]:
    """Return a table's cells, column by column; those in which there is nothing are left out."""
    columns = dict(zip(COLUMNS, zip(*map(_cells, summaries), strict=True), strict=True))
    return {name: cells for name, cells in columns.items() if set(cells) != {NOTHING}}


def _cells(one: Summary) -> list[str]:
    """Return a summary's cells."""
    return [
        contender_label(one.contender),
        str(one.runs),
        f"{one.source_steps:,.0f}",
        f"{one.target_steps:,.0f}",
        figure(one.iqm, one.iqm_low, one.iqm_high, 1),
        figure(one.median, one.median_low, one.median_high, 1),
        figure(one.over_mixture, one.over_mixture_low, one.over_mixture_high, 2),
        figure(one.over_source, one.over_source_low, one.over_source_high, 2),
        figure(one.over_target, one.over_target_low, one.over_target_high, 2),
        _steps(one.steps_to_target),
    ]


def figure(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    """Return an estimate and its interval, as far as there are any, in words."""
    if value is None:
        return NOTHING
    interval = "" if low is None or high is None else f" [{low:,.{digits}f}, {high:,.{digits}f}]"
    return f"{value:,.{digits}f}{interval}"


def _steps(steps: float | None) -> str:
    if steps is None:
        return NOTHING
    return f"{steps:,.0f}" if math.isfinite(steps) else "not reached"


def _notes(runs: Sequence[RunRow]) -> list[str]:
    """Return what a reader must know of the tables."""
    notes = [
        "A score is 100 (J - J_random) / (J_expert - J_random), both measured in the target. Intervals are of a 95 % "
        "bootstrap over runs within each pair; there is none where a pair has one run of a contender."
    ]
    if pairs := without_score(runs):
        notes.append(f"No references are measured in {', '.join(pairs)}: what is shown there is the return itself.")
    for agent in dict.fromkeys(run.agent for run in runs):
        field = [run for run in runs if run.agent == agent]
        names, shared = dict.fromkeys(run.pair for run in field), comparable_pairs(field)
        if len(names) > 1 and (left_out := [name for name in names if name not in shared]):
            notes.append(
                f"Left out of the pairs together, {agent}, because a contender has no run there, or references are "
                f"missing: {', '.join(left_out)}."
            )
    return notes
