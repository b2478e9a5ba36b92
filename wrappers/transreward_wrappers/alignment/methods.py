"""Alignments by name: a cost matrix in, an assignment out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from numpy.typing import ArrayLike

from transreward_envs.errors import unknown
from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.alignment.dtw import dtw
from transreward_wrappers.alignment.min_distance import min_distance
from transreward_wrappers.alignment.optimal_transport import ot, temporal_ot
from transreward_wrappers.alignment.orca import orca
from transreward_wrappers.alignment.sequences import require_costs
from transreward_wrappers.alignment.soft_dtw import soft_dtw

MethodName = Literal["dtw", "soft_dtw", "ot", "temporal_ot", "orca", "min_distance"]
METHODS: Mapping[str, Callable[..., Alignment]] = {
    method.__name__: method for method in (dtw, soft_dtw, ot, temporal_ot, orca, min_distance)
}
"""What aligns, by name; settings are keywords."""


def align(costs: ArrayLike, method: MethodName | str = "dtw", **settings: Any) -> Alignment:
    """Return the alignment of a target sequence with a reference.

    Args:
        costs: What it costs that target step i goes with step j of the reference, as ``(T, T_ref)``; see
            :meth:`~transreward_wrappers.alignment.Reference.costs`.
        method: One of :data:`METHODS`.
        settings: The method's keywords.

    Raises:
        TypeError: A setting is unknown or not of its kind.
        ValueError: The method is unknown, costs are no matrix of finite numbers >= 0, or a setting breaks its rule.
    """
    if method not in METHODS:
        raise ValueError(unknown("alignment", method, METHODS))
    _, *keywords = inspect.signature(METHODS[method]).parameters
    for name in settings:
        if name not in keywords:
            raise TypeError(unknown(f"setting of {method!r}", name, keywords))
    return METHODS[method](require_costs(costs), **settings)
