"""A pair: a source and a target domain of one task that differ by known shifts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Any, Literal, get_args

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from transreward_envs.errors import require_count, unknown
from transreward_envs.robots import Robot, get_robot
from transreward_envs.shifts import (
    ActionDelay,
    ActionRepeat,
    MazeShift,
    Shift,
    ShiftsLike,
    TimestepShift,
    parse_shifts,
    shifts_to_json,
)
from transreward_envs.shifts.base import Json, plain

if TYPE_CHECKING:
    from transreward_envs.verification.report import Verification

KEYS = {"format", "robot", "name", "source", "target", "observe_actions", "source_robot", "settings"}
"""Of a pair's JSON."""

NAMESPACE = "TransReward"
VERSION = 0
FORMAT = 1
"""Of a pair's JSON; a reader refuses what is newer than itself."""

RESERVED = {"shift", "shift_range", "shift_schedule", "shift_change", "observe_actions", "observe_shift"}
Role = Literal["source", "target"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A source and a target domain of one task.

    Args:
        robot: Name of the robot.
        name: The pair's name in ids, such as ``Hopper-friction-2.0``.
        source: Shifts of the source domain.
        target: Shifts of the target domain.
        observe_actions: Past actions appended to both observations; a delayed domain is Markov from its delay on.
        source_robot: Name of the source's robot, where it is another one.
        settings: Keywords of the robot in both domains, as names and JSON values.
        suites: Benchmark suites that the pair belongs to.

    Raises:
        ValueError: The robot is unknown, both domains are the same, or one alone has a maze.
    """

    robot: str
    name: str
    source: tuple[Shift, ...] = ()
    target: tuple[Shift, ...] = ()
    observe_actions: int = 0
    source_robot: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()
    suites: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.settings, Mapping):
            object.__setattr__(self, "settings", tuple(self.settings.items()))
        object.__setattr__(self, "settings", _frozen(self.settings))
        if self.source_robot == self.robot:
            object.__setattr__(self, "source_robot", None)
        for role in ("source", "target"):
            object.__setattr__(self, role, parse_shifts(getattr(self, role)))
        if reserved := sorted({name for name, _ in self.settings} & RESERVED):
            raise ValueError(
                f"`settings` are keywords of the robot in both domains; {', '.join(map(repr, reserved))} belong to the "
                "pair or to one domain. Give shifts as `source` and `target`."
            )
        get_robot(self.robot)
        require_count("observe_actions", self.observe_actions)
        if self.source_robot is not None:
            get_robot(self.source_robot)
        elif _active(self.source) == _active(self.target):
            raise ValueError(
                f"A pair's domains must differ; both of {self.name!r} have the shifts "
                f"{shifts_to_json(_active(self.source))}. Give one a shift that is not neutral."
            )
        mazes = [any(isinstance(shift, MazeShift) for shift in shifts) for shifts in (self.source, self.target)]
        if self.source_robot is None and mazes[0] != mazes[1]:
            raise ValueError(
                f"Both domains of a pair have a maze, or neither; only the {ROLES[mazes[1]]} of {self.name!r} has one. "
                'Give the other its own, such as {"kind": "maze", "layout": "small-0"}.'
            )

    def robot_of(self, role: Role) -> Robot:
        """Return the robot of one domain."""
        return get_robot(self.source_robot or self.robot if check_role(role) == "source" else self.robot)

    def shifts(self, role: Role) -> tuple[Shift, ...]:
        """Return the shifts of one domain."""
        return {"source": self.source, "target": self.target}[check_role(role)]

    def delay(self, role: Role) -> int:
        """Return the action delay of one domain [steps]."""
        return total_delay(self.shifts(role))

    @property
    def hides_actions(self) -> bool:
        """Whether a domain delays actions by more steps than its observation shows: it is not Markov then."""
        return max(self.delay("source"), self.delay("target")) > self.observe_actions

    def max_episode_steps(self, role: Role) -> int:
        """Return the time limit of one domain [agent steps]: the same simulated time in both."""
        repeats = [shift.times for shift in self.shifts(role) if isinstance(shift, ActionRepeat)]
        scales = [shift.scale for shift in self.shifts(role) if isinstance(shift, TimestepShift)]
        mazes = [shift.max_episode_steps for shift in self.shifts(role) if isinstance(shift, MazeShift)]
        limit = mazes[0] if mazes else self.robot_of(role).max_episode_steps
        return math.ceil(limit / reduce(mul, [*repeats, *scales], 1.0) - 1e-9)

    def id(self, suffix: str) -> str:
        """Return the id for ``source``, ``target`` or a training method."""
        return f"{NAMESPACE}/{self.name}-{suffix}-v{VERSION}"

    def kwargs(self, role: Role) -> Json:
        """Return the keywords of one domain's constructor, as JSON types."""
        kwargs: Json = {"shift": shifts_to_json(self.shifts(role)), **self._plain_settings}
        if self.observe_actions:
            kwargs["observe_actions"] = self.observe_actions
        return kwargs

    def spec(self, role: Role) -> EnvSpec:
        """Return the Gymnasium spec of one domain; the pair need not be registered."""
        return EnvSpec(
            id=self.id(role),
            entry_point=self.robot_of(role).entry_point,
            vector_entry_point=self.robot_of(role).vector_entry_point,
            max_episode_steps=self.max_episode_steps(role),
            kwargs=self.kwargs(role),
        )

    def make(self, role: Role, **kwargs: Any) -> gym.Env[Any, Any]:
        """Make one domain, with Gymnasium's time limit around it; ``kwargs`` as for ``gymnasium.make``."""
        return gym.make(self.spec(role), **kwargs)

    def verify(self) -> Verification:
        """Return the proof that the pair is what it says, check by check; it compiles and steps both domains."""
        from transreward_envs.verification import verify  # needs MuJoCo

        return verify(self)

    def to_json(self) -> Json:
        """Return the pair as JSON types."""
        return {
            "format": FORMAT,
            "robot": self.robot,
            "name": self.name,
            "source": shifts_to_json(self.source),
            "target": shifts_to_json(self.target),
            "observe_actions": self.observe_actions,
            "source_robot": self.source_robot,
            "settings": self._plain_settings,
        }

    @property
    def _plain_settings(self) -> Json:
        """The settings as JSON types."""
        return {name: plain(value) for name, value in self.settings}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pair:
        """Return the pair that :meth:`to_json` described.

        Raises:
            TypeError: It is no such description.
            ValueError: It was written by a newer version.
        """
        if not isinstance(data, Mapping) or not {"robot", "name", "source", "target"} <= set(data):
            raise TypeError(f"A pair is given by its name or by `Pair.to_json()`; got {data!r}.")
        if surplus := sorted(set(data) - KEYS):
            raise TypeError(unknown("key of a pair", surplus[0], KEYS))
        version = data.get("format", FORMAT)
        require_count("format", version, at_least=1)
        if version > FORMAT:
            raise ValueError(
                f"A pair's format must be at most {FORMAT}; got {version!r}, written by a newer transreward-envs. "
                "Upgrade it: pip install --upgrade transreward-envs."
            )
        return cls(
            robot=data["robot"],
            name=data["name"],
            source=parse_shifts(data["source"]),
            target=parse_shifts(data["target"]),
            observe_actions=data.get("observe_actions", 0),
            source_robot=data.get("source_robot"),
            settings=tuple(dict(data.get("settings") or {}).items()),
        )


def make_pair(
    robot: str,
    target: ShiftsLike = (),
    *,
    source: ShiftsLike = (),
    name: str | None = None,
    observe_actions: int | None = None,
    settings: Mapping[str, Any] | None = None,
    validate: bool = True,
) -> Pair:
    """Return a pair of any shifts, registered or not.

    Args:
        robot: Name of the robot.
        target: Shifts of the target domain.
        source: Shifts of the source domain; the plain robot when left out.
        name: Name in ids; made from the shifts when left out.
        observe_actions: Past actions in both observations; the longer delay of the two when left out.
        settings: Keywords of the robot in both domains, such as ``{"ctrl_cost_weight": 0.05}``.
        validate: Verify the pair: its models differ in exactly the stated fields, and each shift has its effect.

    Raises:
        ValueError: The robot, a shift or a part of the robot is unknown, both domains are the same, or a shift does
            not have its effect.
    """
    from_shifts, to_shifts = parse_shifts(source), parse_shifts(target)
    labels = [shift.label for shift in to_shifts] + [f"from-{shift.label}" for shift in from_shifts]
    longer_delay = max(total_delay(from_shifts), total_delay(to_shifts))
    pair = Pair(
        robot=robot,
        name=name or "-".join([robot, *labels]),
        source=from_shifts,
        target=to_shifts,
        observe_actions=longer_delay if observe_actions is None else observe_actions,
        settings=tuple((settings or {}).items()),
    )
    if validate:
        pair.verify().require()
    return pair


def total_delay(shifts: tuple[Shift, ...]) -> int:
    """Return the action delay of all shifts together [steps]."""
    return sum(shift.steps for shift in shifts if isinstance(shift, ActionDelay))


def check_role(role: str) -> str:
    """Return ``role`` if it is one.

    Raises:
        ValueError: It is neither ``source`` nor ``target``.
    """
    if role not in ROLES:
        raise ValueError(unknown("role", role, ROLES))
    return role


def _frozen(value: Any) -> Any:
    """Return JSON types with tuples as lists, which are equal to themselves when read again, and can be hashed."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _active(shifts: tuple[Shift, ...]) -> tuple[Shift, ...]:
    """Return the shifts that change something, in an order of their own."""
    return tuple(sorted((shift for shift in shifts if not shift.neutral), key=repr))
