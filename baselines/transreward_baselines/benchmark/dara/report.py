"""What a table's directory is given to read: tables, a page to paste and a figure, of all its runs that are over."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from transreward_baselines.benchmark.dara.algorithms import ALGORITHMS
from transreward_baselines.benchmark.dara.cells import AMOUNTS, all_cells
from transreward_baselines.benchmark.dara.figure import draw_gains
from transreward_baselines.benchmark.dara.page import page, printed, tables_of, verdict_table
from transreward_baselines.benchmark.dara.published import published_scores
from transreward_baselines.benchmark.dara.rows import RESULTS, Row, read_runs
from transreward_baselines.benchmark.dara.summary import Gain, Score, differences, gains_of, scores_of, verdicts_of
from transreward_baselines.benchmark.dara.terms import read_terms
from transreward_baselines.console import console
from transreward_baselines.results import write_table
from transreward_wrappers.storage import write_bytes

FEW = 2
"""Pairs whose tables are all printed; of more, the verdict alone."""


def report(directory: Path) -> None:
    """Write tables and the figure of the runs that are over, and print what they come to."""
    with FileLock(directory / ".report.lock"):
        rows = sorted(read_runs(directory).values(), key=_place)
        if not rows:
            print("No run is over yet.")
            return
        gains = differences(rows)
        scores, of_cells, verdicts = scores_of(rows, published_scores()), gains_of(gains), verdicts_of(gains)
        write_table(directory / "scores.csv", scores, Score)
        write_table(directory / "gains.csv", of_cells, Gain)
        tables, verdict = tables_of(scores, of_cells), verdict_table(verdicts)
        known = any(one.published is not None for one in scores)
        text = page(read_terms(directory), tables, verdict, of_cells, published=known)
        write_bytes(directory / "table.md", text.encode())
        paths = [directory / name for name in ("table.md", RESULTS, "scores.csv", "gains.csv")]
        if verdicts:
            paths.append(draw_gains(of_cells, verdicts, directory / "gains.png"))
    for pair, table in tables.items() if len(tables) <= FEW else ():
        console().print(printed(pair, table))
    if verdicts:
        console().print(printed("DARA against no augmentation", verdict))
    for path in paths:
        print(f"  {path}")


def _place(row: Row) -> tuple[int, ...]:
    """Return where a row stands among all; what has no place in this version comes last."""
    cells = all_cells()
    orders: tuple[list[str], ...] = (
        [cell.pair for cell in cells],
        [cell.quality for cell in cells],
        list(ALGORITHMS),
        list(AMOUNTS),
    )
    names = (row.pair, row.quality, row.algorithm, row.amount)
    places = [order.index(name) if name in order else len(order) for order, name in zip(orders, names, strict=True)]
    return *places, row.seed
