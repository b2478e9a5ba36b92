"""The table of training methods. Their compensations are named, not imported: this package does not need PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ActsIn = Literal["target", "both"]
"""Where the agent acts: in the target alone, or in both domains by turns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A way to train in a pair."""

    compensation: str | None
    """Where the compensation's class is, as ``module:class``; the control has none."""

    acts_in: ActsIn


METHODS: dict[str, Method] = {
    "mixture": Method(compensation=None, acts_in="both"),
    "reward-transfer": Method(compensation="transreward_wrappers.reward_transfer:RewardTransfer", acts_in="target"),
    "darc": Method(compensation="transreward_wrappers.darc:DARC", acts_in="both"),
    "dara": Method(compensation="transreward_wrappers.darc:DARA", acts_in="both"),
}
