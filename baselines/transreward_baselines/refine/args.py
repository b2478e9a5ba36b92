"""What a refinement is told; importing it loads neither PyTorch nor the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transreward_baselines.settings import parse_settings
from transreward_envs import get_pair
from transreward_envs.errors import require_count, require_non_negative

OWN = ("fitted", "seed", "target_budget")
"""Keywords that the command has options for, or sets itself."""


@dataclass(frozen=True, kw_only=True)
class RefineArgs:
    """What to refine, and when to stop.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown, a number breaks its rule, or the pair cannot be refined.
    """

    pair: str
    """Name of the pair."""

    out: Path
    """Directory of the refinement."""

    steps: int = 50_000
    """Target steps of training in a round."""

    collect: int = 5_000
    """Target steps that the policy takes after it, from which the next fit and the gap are made."""

    rounds: int = 10
    """Rounds at most."""

    target_budget: int | None = None
    """Target steps in all; a round that they do not suffice for is not begun."""

    tolerance: float = 0.05
    """Gap or return stand still where they change by no more than this share from one round to the next [-]."""

    patience: int = 2
    """Rounds in a row in which one of both must stand still."""

    start_from: Path | None = None
    """File of a policy that the first round starts from, or directory of a run of PPO whose agent goes on."""

    seed: int = 0
    """Of the agent and the compensation."""

    eval_episodes: int = 10
    """Episodes of the evaluation that ends a round, in each domain."""

    threads: int = 0
    """Threads that step the lanes; all CPUs when 0."""

    quiet: bool = False
    """Show no progress."""

    set: tuple[str, ...] = ()
    """Keywords of reward transfer, such as `lam=1.0 lam_mode=variance`."""

    ppo: tuple[str, ...] = ()
    """Settings of PPO, such as `gamma=0.98`; those found for the robot when left out."""

    def __post_init__(self) -> None:
        for name in ("steps", "collect", "rounds", "patience", "eval_episodes"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("seed", "threads"):
            require_count(name, getattr(self, name))
        require_non_negative("tolerance", self.tolerance)
        if self.target_budget is not None:
            require_count("target_budget", self.target_budget, at_least=1)
        pair = get_pair(self.pair)
        if pair.source_robot is not None or pair.robot_of("source").extra is not None:
            raise ValueError(
                "A refinement puts the source into states of the target, so that both need the same robot, and one "
                f"without an extra; {self.pair!r} has {pair.robot_of('source').name} and {pair.robot}. Choose another."
            )
        if self.start_from is not None and not self.start_from.exists():
            raise ValueError(
                f"`start_from` is the file of a policy or the directory of a run; there is no {self.start_from}."
            )
        if taken := [name for name in OWN if name in parse_settings(self.set)]:
            raise ValueError(
                f"`--set` takes keywords of reward transfer, but for {taken[0]!r}, which is the command's own."
            )
        parse_settings(self.ppo)

    def round_directory(self, index: int) -> Path:
        """Return the directory of a round."""
        return self.out / f"round-{index:02d}"

    def seed_of(self, index: int) -> int:
        """Return the seed of a round's agent and episodes."""
        return int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0] // 2)
