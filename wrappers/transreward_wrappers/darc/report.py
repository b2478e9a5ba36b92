"""How well domain classifiers do, by transitions that they did not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transreward_wrappers.darc.classified import Classified
from transreward_wrappers.darc.memory import DOMAINS, Rows

Array = NDArray[np.float64]
BINS = 10
JUDGED = 20_000
"""Held-out transitions of each domain, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What a classifier says of how likely the target is, and how often it is the target."""

    said: Array
    """Mean probability in each bin, the emptiest left out."""

    found: Array
    """Share of target transitions there."""

    count: NDArray[np.int64]
    """Transitions there."""

    @property
    def error(self) -> float:
        """Mean difference between the two, weighed by counts (expected calibration error)."""
        return float(np.average(np.abs(self.said - self.found), weights=self.count))


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """How one classifier does on as many source as target transitions."""

    accuracy: float
    """Share of transitions that it tells apart; a half is chance."""

    cross_entropy: float
    """[nats]; log 2 is chance."""

    calibration: Calibration


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierReport:
    """How both classifiers do, and what they make of each domain's transitions."""

    of_pairs: Judgement
    """Of ``(s, a)``."""

    of_triples: Judgement
    """Of ``(s, a, s')``."""

    log_ratios: dict[str, Array]
    """dr by domain [nats], not clipped."""

    rows: dict[str, Rows]
    """The held-out transitions' features by domain: ``s``, ``a`` and ``s' - s`` side by side."""

    observation_size: int
    """Length of an observation."""

    clip: float
    """Bound on ``|dr|`` [nats]."""

    @property
    def clip_rate(self) -> float:
        """Share of source transitions whose dr is clipped."""
        return float((np.abs(self.log_ratios["source"]) >= self.clip).mean())


def report(classified: Classified) -> ClassifierReport:
    """Return how the classifiers do on the transitions that were held out.

    Raises:
        ValueError: None were, of one of the domains.
    """
    held_out = classified.learner.memory.held_out(JUDGED)
    count = min(map(len, held_out))
    if count == 0:
        seen = " and ".join(str(classified.learner.memory.seen(domain)) for domain in range(2))
        raise ValueError(
            "Classifiers are judged by held-out transitions of both domains, the last 500 of each 5,000; they saw "
            f"{seen} of source and target. Train for longer, and with a target budget beyond 4,500 steps."
        )
    rows = dict(zip(DOMAINS, held_out, strict=True))
    logits = classified.learner.classifiers.classify(np.concatenate([part[-count:] for part in held_out]))
    truth = np.repeat([False, True], count)
    of_pairs, of_triples = (_judge(one.astype(np.float64), truth) for one in logits)
    return ClassifierReport(
        of_pairs=of_pairs,
        of_triples=of_triples,
        log_ratios={name: classified.learner.classifiers.log_ratio(part) for name, part in rows.items()},
        rows=rows,
        observation_size=classified.learner.observation_size,
        clip=classified.largest_log_ratio,
    )


def _judge(logits: Array, truth: NDArray[np.bool_]) -> Judgement:
    signed = np.where(truth, logits, -logits)
    return Judgement(
        accuracy=float((signed > 0.0).mean()),
        cross_entropy=float(np.logaddexp(0.0, -signed).mean()),
        calibration=_calibration(1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0))), truth),
    )


def _calibration(said: Array, truth: NDArray[np.bool_]) -> Calibration:
    index = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(index, minlength=BINS)
    some = count > 0
    means = [np.bincount(index, weights=values, minlength=BINS)[some] / count[some] for values in (said, truth)]
    return Calibration(said=means[0], found=means[1], count=count[some])
