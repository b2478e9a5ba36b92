"""The table of training methods. Their compensations are named, not imported: this package does not need PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from transreward_envs.pairs import Pair

ActsIn = Literal["target", "both"]
"""Where the agent acts: in the target alone, or in both domains by turns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A way to train in a pair."""

    compensation: str | None
    """Where the compensation's class is, as ``module:class``; the control has none."""

    acts_in: ActsIn

    def serves(self, pair: Pair) -> bool:
        """Whether the method can train in a pair: of two robots, an agent acts with one."""
        return self.acts_in == "target" or pair.source_robot is None


METHODS: dict[str, Method] = {
    "mixture": Method(compensation=None, acts_in="both"),
    "reward-transfer": Method(compensation="transreward_wrappers.reward_transfer:RewardTransfer", acts_in="target"),
    "darc": Method(compensation="transreward_wrappers.darc:DARC", acts_in="both"),
    "dara": Method(compensation="transreward_wrappers.darc:DARA", acts_in="both"),
    "dtw": Method(compensation="transreward_wrappers.dtw:DTW", acts_in="target"),
}


def training_methods(pair: Pair) -> list[str]:
    """Return the names of the methods that can train in a pair."""
    return [name for name, method in METHODS.items() if method.serves(pair)]


def require_one_robot(acts_in: ActsIn, pair: Pair) -> None:
    """Raise ``ValueError`` for what acts in both domains of a pair, where those have different robots."""
    if acts_in == "both" and pair.source_robot is not None:
        raise ValueError(
            f"An agent acts with one robot; those of {pair.name!r} are {pair.source_robot} and {pair.robot}. Choose a "
            f"method that acts in the target alone: {', '.join(training_methods(pair))}."
        )
