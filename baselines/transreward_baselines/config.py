"""What a run is: a frozen record, kept beside its results."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from transreward_baselines.needs import import_modules, meet_needs
from transreward_baselines.parts.replay import LearnFrom, require_learn_from
from transreward_baselines.run_directory import UNTOLD, RunDirectoryError, check_directory
from transreward_envs import METHODS, get_pair
from transreward_envs.errors import require_count, unknown
from transreward_envs.methods import training_methods
from transreward_envs.pairs import ROLES
from transreward_wrappers.bound import load_compensation
from transreward_wrappers.drae import DRaE
from transreward_wrappers.storage import write_json

AgentName = Literal["sb3-ppo", "sb3-sac"]
LANES: dict[str, int] = {"sb3-ppo": 8, "sb3-sac": 1}
"""Lanes of an agent that step together, where nothing else is said."""

RUNS_OWN = ("pair", "target_budget")
"""Keywords of training ids that a run has as settings of its own."""

NOT_SETTINGS = frozenset({"pair", "compensation", "target_budget", "shared_state", "render_mode"})


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run.

    Raises:
        ValueError: A name is unknown or a number breaks its rule.
    """

    pair: str
    """Name of the pair."""

    method: str = "mixture"
    """``source`` or ``target`` (that domain alone), ``mixture``, or a method with compensation."""

    agent: str = "sb3-ppo"
    """``sb3-ppo`` or ``sb3-sac``, unmodified."""

    steps: int = 100_000
    """Environment steps, of both domains together."""

    seed: int = 0
    """Of the agent, the domains and the compensation."""

    n_envs: int = 8
    """Lanes that step together; they share one learner and budget."""

    target_budget: int | None = None
    """Target steps in all; no limit when left out."""

    relabel: bool = True
    """Whether SAC's rewards are compensated when they are drawn, and not once for all when they are paid; without
    effect on PPO, and where there is no compensation."""

    learn_from: LearnFrom = "both"
    """Whose transitions SAC learns from where rewards are relabelled: those of both domains, or of the source alone."""

    whole_episodes: bool = False
    """Whether DRaE, where it relabels SAC's rewards, pays an episode by all of it once it is over."""

    eval_every: int = 10_000
    """Steps between two evaluations, each followed by a checkpoint."""

    eval_episodes: int = 5
    """Episodes of an evaluation, in each domain; in the target alone where the source has another robot."""

    settings: dict[str, Any] = field(default_factory=dict)
    """Further keywords of the training id, such as ``eta``."""

    imports: tuple[str, ...] = ()
    """Modules to import first, which register pairs or compensations of one's own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "imports", tuple(self.imports))
        import_modules(self.imports)
        for name in NOT_SETTINGS.intersection(self.settings):
            where = f"`--{name.replace('_', '-')}`" if name in RUNS_OWN else "a keyword of `gym.make`"
            raise ValueError(f"{name!r} is not a setting of a method: it is {where}.")
        pair = get_pair(self.pair)
        if self.method not in (valid := [*ROLES, *METHODS]):
            raise ValueError(unknown("method", self.method, valid))
        if pair.source_robot is not None and self.method not in (fitting := ["target", *training_methods(pair)]):
            raise ValueError(
                f"A run's policy acts in the target; the source of {self.pair!r} has another robot, which method "
                f"{self.method!r} would act with. Choose {' or '.join(map(repr, fitting))}."
            )
        if self.agent not in get_args(AgentName):
            raise ValueError(unknown("agent", self.agent, get_args(AgentName)))
        object.__setattr__(self, "relabel", self.relabel and self.agent == "sb3-sac" and self.compensated)
        require_learn_from(self.learn_from, relabels=self.relabel)
        if self.whole_episodes and not self._relabels_by_drae:
            raise ValueError(
                "`whole_episodes` is for DRaE where it relabels SAC's rewards: method 'drae', agent 'sb3-sac', and "
                f"`relabel`; got method {self.method!r}, agent {self.agent!r}, and relabel={self.relabel}."
            )
        for name in ("steps", "n_envs", "eval_every", "eval_episodes"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("seed", self.seed)
        if self.target_budget is not None:
            require_count("target_budget", self.target_budget, at_least=1)
            if self.method == "source":
                raise ValueError("`target_budget` needs a method that acts in the target; got method 'source'.")

    @property
    def compensated(self) -> bool:
        """Whether the method has a compensation."""
        return self.method in METHODS and METHODS[self.method].compensation is not None

    @property
    def _relabels_by_drae(self) -> bool:
        """Whether rewards are relabelled, by DRaE."""
        path = METHODS[self.method].compensation if self.relabel else None
        return path is not None and issubclass(load_compensation(path), DRaE)

    def check(self, directory: Path) -> None:
        """Check that a directory is this run's, or empty.

        Raises:
            RunDirectoryError: It holds a run of another configuration, or other files.
        """
        check_directory(
            directory,
            dataclasses.asdict(self),
            may_change=("steps",),
            read=lambda directory: dataclasses.asdict(read_config(directory)),
        )

    def claim(self, directory: Path) -> None:
        """Make a directory this run's.

        Raises:
            RunDirectoryError: It holds a run of another configuration, or other files.
        """
        self.check(directory)
        if not (directory / "config.json").exists():
            write_json(directory / "config.json", dataclasses.asdict(self))


def read_config(directory: Path) -> RunConfig:
    """Return the configuration of a run directory.

    Raises:
        RunDirectoryError: It is not one.
    """
    path = directory / "config.json"
    if not path.exists():
        raise RunDirectoryError(f"A run directory holds a config.json; {directory} does not.")
    meet_needs(directory)
    try:
        return RunConfig(**{**UNTOLD, **json.loads(path.read_text())})
    except (ValueError, TypeError) as error:
        raise RunDirectoryError(f"{path} is not a run's configuration: {error}") from error
