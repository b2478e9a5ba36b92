"""When a refinement is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from transreward_baselines.refine.args import RefineArgs


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """A round that is done."""

    round: int
    """Counted from 0."""

    target_steps: int
    """Of all rounds so far; evaluations are not counted."""

    source_steps: int
    """Of all that the fit after this round had."""

    gap: float
    """Mean of ``(r_S* - r')^2`` over what the policy met in the target, with r_S* fitted anew and r' as it was paid."""

    weight: float
    """Mean lam that was paid with."""

    spread: float
    """Mean disagreement of the ensemble while it paid, in units of that on data held out of its fit."""

    coverage: float
    """Share of the states that were met while it paid that are near the source data."""

    unexplained: float
    """What the fit after this round leaves unexplained of the rewards that were held out of it."""

    return_mean: float
    """Of the deterministic policy in the target."""

    return_std: float

    seconds: float
    """Wall-clock time of training [s]."""


def why_stop(args: RefineArgs, rounds: Sequence[Round]) -> str | None:
    """Return why no further round is begun; ``None`` if one is."""
    if stands_still([one.gap for one in rounds], args):
        return "the gap stands still"
    if stands_still([one.return_mean for one in rounds], args):
        return "the return stands still"
    if len(rounds) >= args.rounds:
        return "all rounds are done"
    spent = rounds[-1].target_steps if rounds else 0
    if args.target_budget is not None and spent + args.steps + args.collect > args.target_budget:
        return "the target budget does not suffice for a further round"
    return None


def stands_still(values: Sequence[float], args: RefineArgs) -> bool:
    """Whether the last changes of a value were no larger than the tolerated share of it, as often as patience asks."""
    recent = values[-args.patience - 1 :]
    small = [abs(after - before) <= args.tolerance * max(abs(after), abs(before)) for before, after in pairwise(recent)]
    return len(small) == args.patience and all(small)
