"""The table as Markdown, and as it is printed: ours and, where they are known, the paper's figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from transreward_baselines.benchmark.dara.cells import AMOUNTS, AUGMENTED, PLAIN, Amount
from transreward_baselines.benchmark.dara.summary import Gain, Score, Verdict

LABELS: dict[Amount, str] = {
    "10T": "10T",
    "1T": "1T",
    "1T+10S": "1T+10S",
    "1T+10S-dara": "1T+10S DARA",
    "1T-from-10S": "1T from 10S",
}
NOTE = (
    "A score is 100 (J - J_random) / (J_expert - J_random), both measured in the target; the mean over seeds ± their "
    "standard deviation. A gain is the mean over seeds of DARA's score less the plain one's; its interval is a 95 % "
    "bootstrap's over seeds, within each cell where cells are taken together. With few seeds such intervals are too "
    "narrow. A run whose policy came to give no finite actions has diverged, and is in no mean."
)
PAPER_NOTE = "Columns of the paper are on D4RL's own data, robots and scale, and compare in their order alone."

Tables = dict[str, list[list[str]]]
"""Rows by title, the first of which has the names of the columns."""


def tables_of(scores: Sequence[Score], gains: Sequence[Gain]) -> Tables:
    """Return a table a pair, with a row a quality and algorithm."""
    gain_of = {(one.pair, one.quality, one.algorithm): one for one in gains}
    tables: Tables = {}
    for pair in dict.fromkeys(one.pair for one in scores):
        own = [one for one in scores if one.pair == pair]
        told = [amount for amount in AMOUNTS if any(one.amount == amount for one in own)]
        paper = {one.amount for one in own if one.published is not None}
        rows = [["data", "algorithm", "seeds"]]
        for amount in told:
            rows[0] += [LABELS[amount], *([f"{LABELS[amount]}, paper"] if amount in paper else [])]
        rows[0] += ["gain of DARA [95 %]"] if {PLAIN, AUGMENTED} <= {*told} else []
        for quality, algorithm in dict.fromkeys((one.quality, one.algorithm) for one in own):
            found = {one.amount: one for one in own if (one.quality, one.algorithm) == (quality, algorithm)}
            rows.append([quality, algorithm, _range([one.seeds for one in found.values()])])
            for amount in told:
                one = found.get(amount)
                rows[-1].append("-" if one is None else _told(one))
                if amount in paper:
                    rows[-1].append("-" if one is None or one.published is None else f"{one.published:.1f}")
            if len(rows[0]) > len(rows[-1]):
                gain = gain_of.get((pair, quality, algorithm))
                rows[-1].append("-" if gain is None else with_interval(gain))
        tables[pair] = rows
    return tables


def verdict_table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """Return a row an algorithm: cells that DARA wins, and its mean gain."""
    head = ["algorithm", "cells won by DARA", "mean gain [95 %]"]
    return [head, *([one.algorithm, f"{one.won} of {one.cells}", with_interval(one)] for one in verdicts)]


def page(
    terms: Mapping[str, Any], tables: Tables, verdicts: list[list[str]], gains: Sequence[Gain], *, published: bool
) -> str:
    """Return all as Markdown."""
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in terms.items() if value is not None)
    lines = ["# DARA's table", "", f"Terms: {told}.", ""]
    if len(verdicts) > 1:
        lines += ["## DARA against no augmentation", "", *_markdown(verdicts), ""]
        losses = [f"{one.pair}/{one.quality}, {one.algorithm} ({with_interval(one)})" for one in gains if one.gain <= 0]
        lines += [f"Cells where it does not win: {'; '.join(losses) or 'none'}.", ""]
    for pair, rows in tables.items():
        lines += [f"## {pair}", "", *_markdown(rows), ""]
    return "\n".join([*lines, NOTE, *([PAPER_NOTE] if published else [])]) + "\n"


def printed(title: str, rows: Sequence[Sequence[str]]) -> Table:
    """Return a table to be printed."""
    table = Table(title=title, box=None)
    for index, name in enumerate(rows[0]):
        table.add_column(name.replace("[", r"\["), justify="left" if index < 2 and len(rows[0]) > 3 else "right")
    for row in rows[1:]:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    return table


def with_interval(one: Gain | Verdict) -> str:
    """Return a gain with its interval, if it has one."""
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.1f}, {one.high:+.1f}]"
    return f"{one.gain:+.1f}{interval}"


def _told(one: Score) -> str:
    """Return an entry, and how many of its runs diverged, if any did."""
    if one.diverged == one.seeds:
        return "diverged"
    lost = f", {one.diverged} diverged" if one.diverged else ""
    return f"{one.score:.1f} ± {one.score_std:.1f}{lost}"


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], f"| {' | '.join(['---'] * len(rows[0]))} |", *lines[1:]]


def _range(counts: Sequence[int]) -> str:
    """Return a count, or from where to where counts go."""
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} - {high}"
