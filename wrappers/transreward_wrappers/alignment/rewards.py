"""What an alignment pays: the source's rewards in the target, in hindsight or step by step.

In hindsight, over the alignment of an episode:

    transport   r'_i = sum_j W_ij r_j exp(-c_ij / tau)      W's columns sum to 1, or its rows, or between

Step by step, over the row of :class:`~transreward_wrappers.alignment.StreamingRows`, with D_t its minimum and J_t the
source steps that are first covered at t:

    progress    r'_t = sum_{j in J_t} r_j exp(-c_tj / tau) - penalty (D_t - D_t-1)
    increment   r'_t = -(D_t - D_t-1)
    shaping     r'_t = gamma (1 - terminated) Phi_t - Phi_t-1,  Phi_t = sum_{j covered by t} r_j - penalty D_t

A gate pays less for what is matched badly. It would forgive negative rewards, so that gated rewards are counted from
the reference's floor, and are at least 0.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transreward_envs.errors import require_non_negative, require_positive, require_share, unknown
from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.alignment.rows import RowState
from transreward_wrappers.alignment.sequences import require_finite_array
from transreward_wrappers.compensation import Float

Carry = Literal["total", "mean", "balanced"]
"""What is kept of the source's rewards: their total, how much they are a step, or what lies between."""


def transport(
    alignment: Alignment, rewards: ArrayLike, *, carry: Carry = "total", tau: float | None = 1.0, floor: float = 0.0
) -> Float:
    """Return the reward of each target step, as ``(T,)``.

    ``total`` pays each source step once, shared out among the target steps that go with it: a slow copy earns as much
    as the source did, in more steps. ``mean`` pays each target step the mean of what the source steps that go with it
    were paid (the barycentric projection of optimal transport): a slow copy earns as much a step, and more in all.
    ``balanced`` divides by the roots of both sums: standing beside one source step for n steps earns 1/n of its reward
    a step by the total, all of it by the mean, and 1/sqrt(n) so. By the total, staying alive is worth too little to
    learn to; by the mean, being slow costs nothing.

    Plain, ``total`` pays the rewards of all source steps that are matched, however bad the match: an agent that stands
    still earns as much as a perfect copy. Gated, they are shifted, and paid in full where the cost is 0 alone.
    The defaults here are those of the formula; ``-dtw-v0`` ids are ``balanced``, and have ``tau`` at the number of
    features.

    Args:
        alignment: Of a target sequence with the reference.
        rewards: Of the reference, as ``(T_ref,)``.
        carry: ``total``, ``mean`` or ``balanced``.
        tau: Cost at which the gate pays 1/e; a sum over features, so the observation's size is a start. ``None`` for no
            gate.
        floor: What a gate pays from; lowered to the least reward, if that is below. Pieces of one reference need the
            whole's, or a step would be worth more in a piece where others are worse.

    Raises:
        TypeError: ``tau`` is not a number.
        ValueError: It is not finite or not above 0, ``carry`` is unknown, or rewards are of another length or not
            finite.
    """
    values = np.asarray(rewards, dtype=np.float64)
    if values.shape != alignment.costs.shape[1:]:
        raise ValueError(f"`rewards` must have the shape ({alignment.costs.shape[1]},); got {values.shape}.")
    require_finite_array("rewards", values)
    match carry:
        case "total":
            weights = alignment.shares
        case "mean":
            weights = alignment.averages
        case "balanced":
            weights = alignment.balanced
        case _:
            raise ValueError(unknown("carry", carry, get_args(Carry)))
    if tau is None:
        return weights @ values
    require_positive("tau", tau)
    return (weights * np.exp(-alignment.costs / tau)) @ (values - min(floor, float(values.min())))


def progress(before: RowState, after: RowState, *, tau: float | None = 1.0, penalty: float = 0.1) -> Float:
    """Return the reward of each lane's step, as ``(L,)``: what it newly covers, less what it strays.

    Without a gate and a penalty, an episode adds up to the rewards of what it covered.

    Args:
        before: State of the rows before the step.
        after: The one after it.
        tau: Cost at which the gate pays 1/e; ``None`` for no gate, and no shift.
        penalty: Weight of the increase of the row's minimum [reward a unit of cost].

    Raises:
        TypeError: ``tau`` or ``penalty`` is not a number.
        ValueError: ``tau`` is not finite or not above 0, or ``penalty`` not finite or below 0.
    """
    require_non_negative("penalty", penalty)
    index = np.arange(after.row.shape[1])
    lanes, steps = np.nonzero((index > before.covered[:, None]) & (index <= after.covered[:, None]))
    gained = after.rewards[lanes, steps]
    if tau is not None:
        require_positive("tau", tau)
        gained = (gained - after.floors[lanes]) * np.exp(-after.costs[lanes, steps] / tau)
    paid = np.bincount(lanes, weights=gained, minlength=len(after.steps))
    return paid + penalty * increment(before, after)


def increment(before: RowState, after: RowState) -> Float:
    """Return minus what the open-end distance grew by, as ``(L,)``: never above 0.

    An episode adds up to minus its open-end distance. Alone, it makes standing still at the reference's start optimal.

    Args:
        before: State of the rows before the step.
        after: The one after it.
    """
    grown: Float = before.minimum - after.minimum
    return grown


def potential(state: RowState, *, penalty: float = 0.1) -> Float:
    """Return Phi of each lane, as ``(L,)``; 0 after a reset.

    Args:
        state: Of the rows.
        penalty: Weight of the row's minimum [reward a unit of cost].

    Raises:
        TypeError: ``penalty`` is not a number.
        ValueError: It is not finite or below 0.
    """
    require_non_negative("penalty", penalty)
    covered = np.arange(state.row.shape[1]) <= state.covered[:, None]
    paid: Float = np.where(covered, state.rewards, 0.0).sum(axis=1)
    return paid - penalty * state.minimum


def shaping(
    before: RowState, after: RowState, terminated: NDArray[np.bool_], *, gamma: float, penalty: float = 0.1
) -> Float:
    """Return what potential-based shaping adds to the target's own reward, as ``(L,)`` (Ng et al., 1999).

    The row follows from what was observed, so that Phi is a potential of the history, and what is optimal stays so:
    for an agent with the same ``gamma`` that bootstraps truncations. Where the target has no reward of its own, it says
    nothing: all policies have the same return.

    Args:
        before: State of the rows before the step.
        after: The one after it.
        terminated: Whether the task ended there, as ``(L,)``; Phi counts as 0 then. A truncation is no end.
        gamma: The agent's discount.
        penalty: Weight of the row's minimum in Phi [reward a unit of cost].

    Raises:
        TypeError: ``gamma`` or ``penalty`` is not a number.
        ValueError: ``gamma`` lies outside [0, 1], or ``penalty`` is not finite or below 0.
    """
    require_share("gamma", gamma)
    there = np.where(terminated, 0.0, potential(after, penalty=penalty))
    return gamma * there - potential(before, penalty=penalty)
