"""Contenders: methods with their settings, and what each may spend so that all spend the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Self

from transreward_baselines.benchmark.terms import Terms
from transreward_baselines.config import NOT_SETTINGS
from transreward_baselines.settings import parse_listing
from transreward_envs import METHODS, Pair
from transreward_envs.errors import unknown
from transreward_envs.methods import training_methods
from transreward_envs.pairs import ROLES, Role
from transreward_envs.training.schedule import require_schedule
from transreward_wrappers import Compensation
from transreward_wrappers.bound import BoundCompensation, load_compensation, make_compensation
from transreward_wrappers.entry_points import OF_TURNS, SCHEDULE_SETTINGS, require_turns


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a run's agent may spend, so that its contender spends what all do."""

    steps: int
    """Environment steps of the agent, in both domains together."""

    target_budget: int | None
    """Those in the target at most; none in the source alone."""

    settings: Mapping[str, Any]
    """Keywords of the training id, but for the budget."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A way to train: one domain alone, or a method and its settings.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: The method or a setting is unknown, or a setting breaks its rule.
    """

    method: str
    """``source``, ``target``, ``target-10x`` for ten times the target steps or any other multiple, or a method."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of the method's training id."""

    def __post_init__(self) -> None:
        if self.suffix not in (valid := [*ROLES, *METHODS]):
            raise ValueError(unknown("method", self.method, [*valid, "target-10x"]))
        for name in sorted(NOT_SETTINGS.intersection(self.settings)):
            raise ValueError(f"{name!r} is no setting of {self.method!r}: a benchmark gives all contenders the same.")
        if self.settings and self.suffix in ROLES:
            raise ValueError(f"{self.method!r} has no settings; got {self.name!r}.")
        require_schedule(self.settings.get("target_ratio", 0.0), self.settings.get("start_in", "source"))
        object.__setattr__(self, "settings", dict(sorted(self.settings.items())))
        if self._compensation is None:
            for name in self.settings:
                if name not in OF_TURNS:
                    raise ValueError(unknown(f"setting of {self.method!r}", name, OF_TURNS))
        else:
            require_turns(self._compensation, self.settings)
            make_compensation(self._compensation, self._own_settings, more=SCHEDULE_SETTINGS)  # raises if one is wrong

    @classmethod
    def parse(cls, word: str) -> Self:
        """Return the contender meant by a word such as ``darc:eta=0.1,clip=5``."""
        method, _, listing = word.partition(":")
        return cls(method=method, settings=parse_listing(listing))

    @property
    def suffix(self) -> str:
        """The suffix of the id that is trained in."""
        return "target" if self._multiple else self.method

    @property
    def variant(self) -> str:
        """The settings in words, such as ``clip=5,eta=0.1``."""
        values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in self.settings.items()}
        return ",".join(f"{name}={value}" for name, value in values.items())

    @property
    def name(self) -> str:
        """The word that means it, such as ``darc:clip=5,eta=0.1``."""
        return f"{self.method}:{self.variant}" if self.settings else self.method

    @property
    def folder(self) -> str:
        """A folder's name, its own."""
        digest = f"-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}" if self.settings else ""
        return slug(self.name)[:100] + digest

    def serves(self, pair: Pair) -> bool:
        """Whether the contender acts with the target's robot alone."""
        return pair.source_robot is None or self.suffix in ("target", *training_methods(pair))

    def check(self, pair: Pair) -> None:
        """Check that the contender can train in a pair.

        Raises:
            DependencyNotInstalled: The robot needs an extra.
            ValueError: It cannot.
        """
        if not self.serves(pair):
            raise ValueError(
                f"What is trained acts in the target; the source of {pair.name!r} has another robot, which "
                f"{self.name!r} would act with. Leave out the one or the other."
            )
        pair.robot_of("target").domain()  # raises where its extra is missing

    def budget(self, terms: Terms, pair: Pair) -> Budget:
        """Return what the agent may spend in a pair.

        Raises:
            ValueError: The compensation cannot serve the pair, or fitting it takes more than the terms allow.
        """
        if self.suffix == "source":
            return Budget(steps=terms.source_steps, target_budget=None, settings={})
        if self.suffix == "target":
            steps = (self._multiple or 1) * terms.target_steps
            return Budget(steps=steps, target_budget=steps, settings={})
        fit = self._fit_steps(pair)
        source, target = terms.source_steps - fit.get("source", 0), terms.target_steps - fit.get("target", 0)
        enters = self.settings.get("target_ratio") != 0
        if source < 0 or target < int(enters):
            raise ValueError(
                f"Steps of fitting a compensation count; {self.name!r} takes {fit.get('source', 0)} in the source and "
                f"{fit.get('target', 0)} in the target, of {terms.source_steps} and {terms.target_steps} in all. "
                "Raise `--source-steps` and `--target-steps`, or give it a smaller fit."
            )
        if METHODS[self.method].acts_in == "target":
            return Budget(steps=target, target_budget=target, settings=self.settings)
        ratio = self.settings.get("target_ratio", target / (source + target))
        steps = source + target if ratio == 1 else min(source + target, round(source / (1 - ratio)))
        return Budget(steps=steps, target_budget=max(target, 1), settings={**self.settings, "target_ratio": ratio})

    def _fit_steps(self, pair: Pair) -> dict[Role, int]:
        """Return the steps that fitting the compensation takes in each domain of a pair, if there is one."""
        if self._compensation is None:
            return {}
        with closing(pair.make("target", disable_env_checker=True)) as env:
            bound = BoundCompensation(
                pair,
                self._compensation,
                self._own_settings,
                observation_space=env.observation_space,
                action_space=env.action_space,
            )
        return bound.compensation.fit_steps()

    @property
    def _compensation(self) -> type[Compensation] | None:
        """The compensation, if the method has one."""
        path = METHODS[self.method].compensation if self.method in METHODS else None
        return None if path is None else load_compensation(path)

    @property
    def _own_settings(self) -> dict[str, Any]:
        """The settings of the compensation, without those of the schedule."""
        return {name: value for name, value in self.settings.items() if name not in SCHEDULE_SETTINGS}

    @property
    def _multiple(self) -> int | None:
        """How many times the target's steps it gets, where its name says so."""
        found = re.fullmatch(r"target-([1-9]\d*)x", self.method)
        return int(found[1]) if found else None


def slug(text: str) -> str:
    """Return a text as part of a file's name."""
    return re.sub(r"[^\w.=+-]+", "-", text).strip("-")
