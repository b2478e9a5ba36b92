"""The formulas of methods, one trajectory and one step at a time: what the flat arrays must agree with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st

from transreward_wrappers.drae import DynamicsRatio, Trajectories

numbers = st.floats(-10.0, 10.0)


def some_trajectories(seed: int, *, count: int = 6, longest: int = 7) -> Trajectories:
    """Return trajectories of random lengths and numbers, whose next values are those of the next step."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest + 1, count)
    size, last = int(lengths.sum()), np.cumsum(lengths) - 1
    ends = np.zeros(size, dtype=bool)
    ends[last] = True
    value = generator.standard_normal(size)
    next_value = np.where(ends, generator.standard_normal(size), np.roll(value, -1))
    return Trajectories(
        reward=generator.standard_normal(size),
        value=value,
        next_value=next_value,
        terminated=ends & (generator.random(size) < 0.5),
        ends=ends,
    )


def looped(
    form: str,
    steps: Trajectories,
    baseline: np.ndarray,
    *,
    gamma: float,
    policy_weight: np.ndarray,
    ratio: DynamicsRatio,
) -> np.ndarray:
    """Return G of the direct or the residual form."""
    estimate = np.zeros(len(steps))
    for positions in one_by_one(steps):
        following = 0.0 if steps.terminated[positions[-1]] else steps.next_value[positions[-1]]
        for t in reversed(positions):
            rho = ratio.low[t]
            if ratio.slides:
                rho = slid(steps, t, following, gamma=gamma, low=ratio.low[t], high=ratio.high[t])
            if form == "direct":
                surplus = policy_weight[t] * (steps.reward[t] + rho * gamma * following - baseline[t])
            else:
                surplus = policy_weight[t] * rho * (steps.reward[t] + gamma * following - baseline[t])
            following = estimate[t] = steps.value[t] + surplus
    return estimate


def slid(steps: Trajectories, t: int, following: float, *, gamma: float, low: float, high: float) -> float:
    """Return the slide's ratio of one step."""
    divisor = 2.0 * gamma * following
    best = 1.0 if abs(divisor) <= 1e-8 else (gamma * steps.next_value[t] - steps.reward[t]) / divisor
    return float(min(max(best, low), high))


def one_by_one(steps: Trajectories) -> Iterator[range]:
    """Yield the positions of each trajectory's steps."""
    start = 0
    for last in np.flatnonzero(steps.ends):
        yield range(start, int(last) + 1)
        start = int(last) + 1
