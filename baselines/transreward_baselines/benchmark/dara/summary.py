"""What DARA's rewards gain over the source's own, in each cell and over cells."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transreward_baselines.benchmark.dara.cells import AUGMENTED, PLAIN, Run
from transreward_baselines.benchmark.dara.published import Key
from transreward_baselines.benchmark.dara.rows import Row
from transreward_baselines.benchmark.statistics import Array, estimate, mean, mean_of_means

Gains = dict[tuple[str, str, str], dict[int, float]]
"""By pair, quality and algorithm: differences between runs of one seed, by seed."""

ALL = "all"
"""What stands in place of an algorithm's name where all are taken together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One entry of the table: what the last policies of all seeds come to."""

    pair: str
    quality: str
    algorithm: str
    amount: str
    seeds: int

    diverged: int
    """Of these, with policies that came to give no finite actions; means and deviations are of the others."""

    score: float
    """Mean over seeds; NaN where all diverged."""

    score_std: float
    """Standard deviation over seeds; 0 with one."""

    return_mean: float

    published: float | None
    """What the paper prints, on its own scale and data; none where it is not typed in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """What DARA's rewards add to a cell's score; intervals are of 95 %, and missing where there is one seed."""

    pair: str
    quality: str
    algorithm: str

    seeds: int
    """That have both runs."""

    gain: float
    """Mean over seeds of the difference between the two runs of a seed, which begin with the same networks."""

    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Gains of an algorithm's cells, or of all, together."""

    algorithm: str
    cells: int

    won: int
    """Cells whose gain is above zero."""

    gain: float
    """Mean over cells."""

    low: float | None
    """Of a bootstrap that draws seeds within each pair and quality, for all algorithms at once."""

    high: float | None


def scores_of(rows: Iterable[Row], published: Mapping[Key, float]) -> list[Score]:
    """Return the entries of the table, in the order of the rows."""
    entries: dict[Key, list[Row]] = {}
    for row in rows:
        entries.setdefault((row.pair, row.quality, row.algorithm, row.amount), []).append(row)
    return [_score(found, published.get(key)) for key, found in entries.items()]


def _score(rows: Sequence[Row], published: float | None) -> Score:
    """Return what the runs of an entry come to."""
    sound = [row for row in rows if math.isfinite(row.return_mean)]
    return Score(
        pair=rows[0].pair,
        quality=rows[0].quality,
        algorithm=rows[0].algorithm,
        amount=rows[0].amount,
        seeds=len(rows),
        diverged=len(rows) - len(sound),
        score=float(np.mean([row.score for row in sound])) if sound else math.nan,
        score_std=float(np.std([row.score for row in sound], ddof=min(len(sound) - 1, 1))) if sound else math.nan,
        return_mean=float(np.mean([row.return_mean for row in sound])) if sound else math.nan,
        published=published,
    )


def differences(rows: Collection[Row]) -> Gains:
    """Return by how much DARA's run of each seed is better than the plain one, of each cell that has both.

    Runs that diverged are no runs here: by how much they are worse is not known.
    """
    scores = {row.run: row.score for row in rows if math.isfinite(row.score)}
    found: Gains = {}
    for row in rows:
        if row.amount == AUGMENTED and row.run in scores:
            plain = Run(cell=row.run.cell, algorithm=row.algorithm, amount=PLAIN, seed=row.seed)
            if plain in scores:
                found.setdefault((row.pair, row.quality, row.algorithm), {})[row.seed] = row.score - scores[plain]
    return found


def gains_of(gains: Gains) -> list[Gain]:
    """Return the gain of each cell, from :func:`differences`."""
    found = []
    for (pair, quality, algorithm), values in gains.items():
        figure = estimate(mean, [_array(values)])
        found.append(
            Gain(
                pair=pair,
                quality=quality,
                algorithm=algorithm,
                seeds=len(values),
                gain=figure.value,
                low=figure.low,
                high=figure.high,
            )
        )
    return found


def verdicts_of(gains: Gains) -> list[Verdict]:
    """Return what the gains of each algorithm's cells come to, and those of all."""
    algorithms = list(dict.fromkeys(key[2] for key in gains))
    verdicts = [_verdict(name, {key: one for key, one in gains.items() if key[2] == name}) for name in algorithms]
    return verdicts + ([_verdict(ALL, gains)] if len(algorithms) > 1 else [])


def _verdict(algorithm: str, gains: Gains) -> Verdict:
    """Return what cells come to; algorithms share the relabelled data of a seed, so that seeds are drawn for all."""
    data: dict[tuple[str, str], list[dict[int, float]]] = {}
    for (pair, quality, _), values in gains.items():
        data.setdefault((pair, quality), []).append(values)
    groups = []
    for several in data.values():
        seeds = sorted(set[int]().union(*several))
        groups.append(np.array([[values.get(seed, math.nan) for seed in seeds] for values in several]))
    figure = mean_of_means(groups)
    won = sum(bool(_array(values).mean() > 0.0) for values in gains.values())
    return Verdict(algorithm=algorithm, cells=len(gains), won=won, gain=figure.value, low=figure.low, high=figure.high)


def _array(values: Mapping[int, float]) -> Array:
    return np.array([*values.values()])
