"""The tables of docs/evidence.md, from the benchmarks that are published in docs/results."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from marks import between

from transreward_baselines.benchmark.report import figure
from transreward_baselines.plot import contender_label

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "evidence.md"
RESULTS = ROOT / "docs" / "results"
STAGES = ("stage-1", "stage-2")
COMPARED = {
    "over_mixture": "P(> mixture) [95 %]",
    "over_source": "P(> source only) [95 %]",
    "over_target": "P(> target only) [95 %]",
}
Row = dict[str, str]


def page() -> str:
    """Return the text of the page, with the tables that are published now."""
    text = PAGE.read_text()
    for stage in STAGES:
        with (RESULTS / stage / "summary.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        parts = ["\n".join(tables([row for row in rows if row["agent"] == agent])) for agent in agents(rows)]
        text = between(text, stage, "\n\n".join(parts))
    return text


def agents(rows: list[Row]) -> list[str]:
    """Return the agents of a benchmark."""
    return list(dict.fromkeys(row["agent"] for row in rows))


def tables(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of two tables of one agent: contenders over all pairs, and in each pair."""
    agent, measures = rows[0]["agent"], {row["measure"] for row in rows}
    if measures != {"score"}:
        raise ValueError(f"What is published has references in each pair; some of {agent}'s rows are returns.")
    yield f"With `{agent}`:"
    yield ""
    pairs = list(dict.fromkeys(row["pair"] for row in rows if row["pair"] != "all"))
    together = [row for row in rows if row["pair"] == "all"]
    compared = [name for name in COMPARED if any(row.get(name) for row in together)]
    yield f"| {' | '.join(['contender', 'runs', 'all pairs: IQM [95 %]', *map(COMPARED.get, compared)])} |"
    yield "|---" + "|---:" * (2 + len(compared)) + "|"
    for row in together:
        cells = [label(row), row["runs"], estimate(row, "iqm", 1), *(estimate(row, name, 2) for name in compared)]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield f"| {' | '.join(['IQM [95 %]', *(f'`{pair}`' for pair in pairs)])} |"
    yield "|---" + "|---:" * len(pairs) + "|"
    for contender in dict.fromkeys(label(row) for row in rows):
        own = {row["pair"]: row for row in rows if label(row) == contender}
        cells = [estimate(own[pair], "iqm", 1) if pair in own else "-" for pair in pairs]
        yield f"| {contender} | {' | '.join(cells)} |"


def label(row: Row) -> str:
    """Return what a row's contender is called."""
    return contender_label(f"{row['method']}:{row['settings']}" if row["settings"] else row["method"])


def estimate(row: Row, name: str, digits: int) -> str:
    """Return an estimate and its interval as far as the row has them."""
    value, low, high = (float(row[key]) if row[key] else None for key in (name, f"{name}_low", f"{name}_high"))
    return figure(value, low, high, digits)
