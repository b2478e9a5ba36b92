"""One run of a benchmark: a contender in a pair with an agent and a seed, its place, and what came of it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transreward_baselines.benchmark.contenders import Budget, Contender, slug
from transreward_baselines.benchmark.terms import Terms
from transreward_baselines.run_directory import RunDirectoryError
from transreward_baselines.versions import versions
from transreward_envs import Pair
from transreward_wrappers.storage import write_json

OUTCOME = "outcome.json"
"""File in a run's directory that says that it is over."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run."""

    pair: Pair
    contender: Contender
    agent: str
    seed: int
    terms: Terms

    runs: Path
    """Folder of all runs."""

    imports: tuple[str, ...] = ()
    """Modules that register what the run needs."""

    @property
    def name(self) -> str:
        """What the run is called when it is told of."""
        return f"{self.pair.name}, {self.contender.name}, {self.agent}, seed {self.seed}"

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What no other run of the benchmark has: pair, agent, contender and seed."""
        return self.pair.name, self.agent, self.contender.name, self.seed

    @property
    def directory(self) -> Path:
        """The run's directory."""
        return self.runs / slug(self.pair.name) / self.agent / self.contender.folder / f"seed-{self.seed}"

    @property
    def outcome(self) -> Path:
        """The file that says that the run is over."""
        return self.directory / OUTCOME

    @cached_property
    def budget(self) -> Budget:
        """What the agent may spend."""
        return self.contender.budget(self.terms, self.pair)

    @property
    def eval_every(self) -> int:
        """Environment steps between two evaluations."""
        return max(self.budget.steps // self.terms.evaluations, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run came to: the evaluation of its last policy, whatever earlier ones were worth."""

    pair: str
    agent: str
    method: str

    settings: str
    """Of the method, in words."""

    seed: int

    step: int
    """Environment steps of the agent, in both domains together."""

    source_steps: int
    """Steps in the source, those of fitting a compensation included."""

    target_steps: int
    """Steps in the target, those of fitting a compensation included."""

    target_return: float
    """Mean over the episodes."""

    target_std: float
    """Standard deviation over the episodes."""

    source_return: float | None
    """None where the source has another robot, which the policy cannot act with."""

    source_std: float | None

    episodes: int
    """Of the evaluation, in each domain."""

    seconds: float
    """Wall-clock time of training [s]."""

    @property
    def contender(self) -> str:
        """The word that means the contender."""
        return f"{self.method}:{self.settings}" if self.settings else self.method

    def write(self, path: Path) -> None:
        """Write it, with the versions of what it depends on."""
        write_json(path, {**dataclasses.asdict(self), "versions": versions()})


def read_outcome(path: Path) -> Outcome:
    """Return what :meth:`Outcome.write` wrote.

    Raises:
        RunDirectoryError: It is something else.
    """
    try:
        content = dict(json.loads(path.read_text()))
        return Outcome(**{field.name: content[field.name] for field in dataclasses.fields(Outcome)})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunDirectoryError(
            f"{path} is not what a run came to ({error!r}). Delete it to have it made again."
        ) from error
