"""What a critic learns from trajectories that were made in other tasks: DRaT's relabelling (NeurIPS 2023).

A trajectory of task i is given to task j with the rewards of j, ``r``. Of the values of its actions in j,

    drae      Y_t = Q_t + rho_t (r_t + gamma nd G_{t+1} - Q_t),    G in the residual form, rho = p_j / p_i
    direct    Y_t = r_t + gamma nd G_{t+1},                        G in the direct form, with rho = 1
    plain     Y_t = r_t + gamma nd V(s_{t+1})

See ``docs/drae.md`` for both forms.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from transreward_baselines.lanes import Array
from transreward_wrappers.drae import DynamicsRatio, Trajectories, action_values, direct, residual

Relabelling = Literal["drae", "direct", "plain", "none"]
"""How other tasks' trajectories are learned from; with ``none``, they are not."""


def relabelled_values(
    kind: Relabelling,
    steps: Trajectories,
    q: Array,
    *,
    gamma: float,
    policy_weight: Array | None = None,
    ratio: DynamicsRatio | None = None,
) -> Array:
    """Return what each critic is to say of the actions of trajectories, as ``(K, N)``.

    Args:
        kind: ``drae``, ``direct`` or ``plain``.
        steps: The trajectories, with the rewards and the V of the task that they are given to.
        q: What each critic says of their actions in that task, as ``(K, N)``; the least is what goes with V.
        gamma: Discount.
        policy_weight: How much likelier that task's policy is to act so than the one that acted, as ``(N,)``.
        ratio: How much likelier that task's dynamics are to go on so; for ``drae`` alone.

    Raises:
        ValueError: ``kind`` relabels nothing, ``gamma`` is outside [0, 1], or a number is not finite.
    """
    if kind == "plain":
        return np.stack([action_values(steps, one, gamma=gamma) for one in q])
    if kind == "direct":
        estimate, ratio = direct(steps, q.min(axis=0), gamma=gamma, policy_weight=policy_weight), None
    elif kind == "drae":
        estimate = residual(steps, q.min(axis=0), gamma=gamma, policy_weight=policy_weight, ratio=ratio)
    else:
        raise ValueError(f"Trajectories are relabelled by 'drae', 'direct' or 'plain'; got {kind!r}.")
    return np.stack([action_values(steps, one, gamma=gamma, ratio=ratio, estimate=estimate) for one in q])
