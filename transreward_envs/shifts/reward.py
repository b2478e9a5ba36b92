"""Rewards: another direction, another velocity, or nothing before a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from transreward_envs.errors import require_finite, require_positive, unknown
from transreward_envs.shifts.base import RewardShift

Heading = Literal["forward", "backward", "either"]
FORWARD = "reward_forward"
Terms = dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectionShift(RewardShift):
    """Reward running forward, backward, or either way: the forward term becomes w v, -w v or w abs(v)."""

    kind: ClassVar[str] = "direction"

    heading: Heading
    """The rewarded direction along x; ``forward`` changes nothing."""

    def __post_init__(self) -> None:
        if self.heading not in get_args(Heading):
            raise ValueError(unknown("heading", self.heading, get_args(Heading)))

    @property
    def neutral(self) -> bool:
        """Whether forward is rewarded."""
        return self.heading == "forward"

    @property
    def label(self) -> str:
        """Such as ``backward``."""
        return self.heading

    def reward(self, terms: Terms, *, position: float, velocity: float, weight: float) -> tuple[float, Terms]:
        """Return the reward with the forward term turned."""
        turned = {"forward": velocity, "backward": -velocity, "either": abs(velocity)}[self.heading]
        return _with_forward(terms, weight * turned)


@dataclass(frozen=True, kw_only=True, slots=True)
class VelocityShift(RewardShift):
    """Reward running at a given velocity: the forward term becomes -w abs(v - goal) (Finn et al., 2017)."""

    kind: ClassVar[str] = "velocity"

    goal: float
    """Velocity along x [m/s]."""

    def __post_init__(self) -> None:
        require_finite("goal", self.goal)

    @property
    def neutral(self) -> bool:
        """Never: a goal velocity is another reward."""
        return False

    @property
    def label(self) -> str:
        """Such as ``velocity-3.0``."""
        return f"velocity-{self.goal}"

    def reward(self, terms: Terms, *, position: float, velocity: float, weight: float) -> tuple[float, Terms]:
        """Return the reward with the forward term measured from the goal."""
        return _with_forward(terms, -weight * abs(velocity - self.goal))


@dataclass(frozen=True, kw_only=True, slots=True)
class SparseReward(RewardShift):
    """Reward 1 at each step that ends past a distance, and 0 before it; every other term is 0.

    The position along x decides, so it belongs into the observation:
    ``exclude_current_positions_from_observation=False``, as registered pairs have it.
    """

    kind: ClassVar[str] = "sparse"

    distance: float
    """Position along x from which steps are rewarded [m]."""

    def __post_init__(self) -> None:
        require_positive("distance", self.distance)

    @property
    def neutral(self) -> bool:
        """Never: a sparse reward is another reward."""
        return False

    @property
    def label(self) -> str:
        """Such as ``sparse-5.0``."""
        return f"sparse-{self.distance}"

    def reward(self, terms: Terms, *, position: float, velocity: float, weight: float) -> tuple[float, Terms]:
        """Return 1 past the threshold and 0 before."""
        reward = float(position >= self.distance)
        return reward, {**dict.fromkeys(terms, 0.0), FORWARD: reward}


def _with_forward(terms: Terms, forward: float) -> tuple[float, Terms]:
    """Return the reward with another forward term."""
    changed = {**terms, FORWARD: forward}
    return sum(changed.values()), changed
