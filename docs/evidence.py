"""The tables of docs/evidence.md, from the benchmarks and the study that are published in docs/results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from marks import between, table

from transreward_baselines.benchmark.report import figure
from transreward_baselines.benchmark.summary import ALL, BASELINES, Summary
from transreward_baselines.plot import METHOD_NAMES, contender_label
from transreward_baselines.results import read_table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from studies import relabelling  # noqa: E402  # found by the line above

PAGE = ROOT / "docs" / "evidence.md"
RESULTS = ROOT / "docs" / "results"
STAGES = ("stage-1", "stage-2", "stage-2-estimators", "stage-2-dense")
ETAS = ("1", "0.1")
"""Of DARC, in what is published of rewards that are frozen or compensated when drawn."""


def page() -> str:
    """Return the text of the page, with the tables that are published now."""
    text = PAGE.read_text()
    for stage in STAGES:
        rows = read_table(RESULTS / stage / "summary.csv", Summary)
        agents = dict.fromkeys(row.agent for row in rows)
        parts = ["\n".join(tables([row for row in rows if row.agent == agent])) for agent in agents]
        text = between(text, stage, "\n\n".join(parts))
    return between(text, "relabelling", "\n".join(relabelling_table()))


def relabelling_table() -> Iterator[str]:
    """Yield the lines of the table of rewards that are frozen or compensated when drawn."""
    rows = (
        [eta, *row]
        for eta in ETAS
        for row in relabelling.cells(read_table(RESULTS / "relabelling" / f"eta-{eta}.csv", relabelling.Row))
    )
    yield from table(("eta", *relabelling.HEADS), rows, words=3)


def tables(rows: Sequence[Summary]) -> Iterator[str]:
    """Yield the lines of two tables of one agent: contenders over all pairs, if all have runs in several, and in each.

    Raises:
        ValueError: A pair has no references.
    """
    agent = rows[0].agent
    if any(row.measure != "score" for row in rows):
        raise ValueError(f"What is published has references in each pair; some of {agent}'s rows are returns.")
    pairs = list(dict.fromkeys(row.pair for row in rows if row.pair != ALL))
    together = [row for row in rows if row.pair == ALL] if len(pairs) > 1 else rows
    shown = "all pairs" if len(pairs) > 1 else f"`{pairs[0]}`"
    compared = [name for name in BASELINES if any(getattr(row, f"over_{name}") is not None for row in together)]
    heads = [f"P(> {METHOD_NAMES.get(name, name)}) [95 %]" for name in compared]
    yield f"With `{agent}`:\n"
    if together:
        lines = (
            [
                contender_label(row.contender),
                str(row.runs),
                estimate(row, "iqm", 1),
                *(estimate(row, f"over_{name}", 2) for name in compared),
            ]
            for row in together
        )
        yield from table(("contender", "runs", f"{shown}: IQM [95 %]", *heads), lines)
    if len(pairs) == 1:
        return
    if together:
        yield ""
    scores = []
    for contender in dict.fromkeys(row.contender for row in rows):
        own = {row.pair: row for row in rows if row.contender == contender}
        cells = (estimate(own[pair], "iqm", 1) if pair in own else "-" for pair in pairs)
        scores.append([contender_label(contender), *cells])
    yield from table(("IQM [95 %]", *(f"`{pair}`" for pair in pairs)), scores)


def estimate(row: Summary, name: str, digits: int) -> str:
    """Return an estimate and its interval as far as the row has them."""
    return figure(*(getattr(row, key) for key in (name, f"{name}_low", f"{name}_high")), digits)
