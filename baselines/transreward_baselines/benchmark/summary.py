"""What contenders came to, over seeds in each pair and over all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transreward_baselines.benchmark.statistics import (
    Array,
    Estimate,
    estimate,
    interquartile_mean,
    median,
    probability_of_improvement,
)
from transreward_baselines.benchmark.table import Curves, RunRow
from transreward_baselines.results import Result

ALL = "all"
"""What stands in place of a pair's name where pairs are taken together."""

BASELINES = ("mixture", "source", "target")
"""Contenders that each is compared with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A contender in one pair, or in all; intervals are of 95 %, and missing where a pair has one run."""

    pair: str
    agent: str
    method: str
    settings: str

    pairs: int
    """Pairs that are taken together."""

    runs: int

    source_steps: float
    """Mean over the runs."""

    target_steps: float
    """Mean over the runs."""

    measure: str
    """What is summarised: ``score``, or ``return`` where no references are measured in the pair."""

    iqm: float | None
    """Mean of the middle half of the runs; none over pairs without references."""

    iqm_low: float | None
    iqm_high: float | None
    median: float | None
    median_low: float | None
    median_high: float | None

    over_mixture: float | None
    """Probability that a run beats one of the mixture, in a pair drawn at random."""

    over_mixture_low: float | None
    over_mixture_high: float | None

    over_source: float | None
    """Probability that a run beats one of source only."""

    over_source_low: float | None
    over_source_high: float | None

    over_target: float | None
    """Probability that a run beats one of target only."""

    over_target_low: float | None
    over_target_high: float | None

    steps_to_target: float | None
    """Target steps after which it first returned what target only returns with its whole budget; infinite if it never
    did, and none over several pairs, or without target only."""

    @property
    def contender(self) -> str:
        """The word that means the contender."""
        return f"{self.method}:{self.settings}" if self.settings else self.method


def summarise(curves: Curves) -> list[Summary]:
    """Return the summaries, agent by agent: over comparable pairs where there are several, then of each pair."""
    summaries = []
    for agent in dict.fromkeys(run.agent for run in curves):
        field = {run: results for run, results in curves.items() if run.agent == agent}
        if len(shared := comparable_pairs(list(field))) > 1:
            summaries += _summaries(field, shared, ALL)
        for pair in dict.fromkeys(run.pair for run in field):
            summaries += _summaries(field, [pair], pair)
    return summaries


def comparable_pairs(runs: Sequence[RunRow]) -> list[str]:
    """Return the pairs of one agent's runs in which every contender has one, those with references if any has them."""
    contenders = {run.contender for run in runs}
    pairs = dict.fromkeys(run.pair for run in runs)
    shared = [pair for pair in pairs if {run.contender for run in runs if run.pair == pair} == contenders]
    scored = {run.pair for run in runs if run.score is not None}
    return [pair for pair in shared if pair in scored] or shared


def steps_to(threshold: float, seeds: Sequence[list[Result]]) -> float:
    """Return the mean target steps at the first evaluation whose IQM over seeds reaches a return; infinity if none."""
    for results in zip(*seeds, strict=False):
        if interquartile_mean(np.array([result.target_return for result in results])) >= threshold:
            return float(np.mean([result.target_steps for result in results]))
    return math.inf


def _summaries(field: Curves, pairs: list[str], name: str) -> list[Summary]:
    """Return the summaries of one agent's contenders, over pairs that are taken together."""
    runs = [run for run in field if run.pair in pairs]
    contenders: dict[str, list[RunRow]] = {}
    for run in runs:
        contenders.setdefault(run.contender, []).append(run)
    threshold = _threshold(field, contenders.get("target", []), pairs)
    summaries = []
    for ours in contenders.values():
        figures: dict[str, Estimate | None] = dict(_central(ours, pairs))
        for baseline in BASELINES:
            theirs = contenders.get(baseline, [])
            against = bool(theirs) and theirs is not ours
            figures[f"over_{baseline}"] = (
                probability_of_improvement(_strata(ours, pairs), _strata(theirs, pairs)) if against else None
            )
        summaries.append(
            Summary(
                pair=name,
                agent=ours[0].agent,
                method=ours[0].method,
                settings=ours[0].settings,
                pairs=len(pairs),
                runs=len(ours),
                source_steps=float(np.mean([run.source_steps for run in ours])),
                target_steps=float(np.mean([run.target_steps for run in ours])),
                measure=_measure(ours),
                steps_to_target=None if threshold is None else steps_to(threshold, [field[run] for run in ours]),
                **_columns(figures),
            )
        )
    return summaries


def _measure(runs: Sequence[RunRow]) -> str:
    return "return" if any(run.score is None for run in runs) else "score"


def _central(runs: Sequence[RunRow], pairs: list[str]) -> dict[str, Estimate | None]:
    """Return IQM and median of a contender's runs; of returns in several pairs, which have no common scale, none."""
    if _measure(runs) == "return" and len(pairs) > 1:
        return {"iqm": None, "median": None}
    strata = _strata(runs, pairs)
    return {"iqm": estimate(interquartile_mean, strata), "median": estimate(median, strata)}


def _strata(runs: Sequence[RunRow], pairs: list[str]) -> list[Array]:
    """Return the scores of runs, or returns where there is none, pair by pair."""
    values = [[run.target_return if run.score is None else run.score for run in runs if run.pair == p] for p in pairs]
    return [np.array(one) for one in values]


def _threshold(field: Curves, runs: Sequence[RunRow], pairs: list[str]) -> float | None:
    """Return what target only returns at its last evaluation on the way; none over several pairs, or without it."""
    if not runs or len(pairs) > 1:
        return None
    return float(interquartile_mean(np.array([field[run][-1].target_return for run in runs])))


def _columns(figures: dict[str, Estimate | None]) -> dict[str, Any]:
    """Return estimates as columns."""
    columns: dict[str, Any] = {}
    for name, figure in figures.items():
        columns[name] = None if figure is None else figure.value
        columns[f"{name}_low"] = None if figure is None else figure.low
        columns[f"{name}_high"] = None if figure is None else figure.high
    return columns
