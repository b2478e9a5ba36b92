"""What a shift is: a frozen value with units, a neutral setting, and JSON in and out."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from transreward_envs.errors import require_positive, unknown

if TYPE_CHECKING:
    import mujoco

Json = dict[str, Any]


class Shift(ABC):
    """One known difference between two domains of a task.

    Subclasses are frozen dataclasses. ``kind`` names the shift in JSON and in ids.
    """

    __slots__ = ()

    kind: ClassVar[str]

    @property
    @abstractmethod
    def neutral(self) -> bool:
        """Whether this setting changes nothing, bit for bit."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The shift's part of an id, such as ``mass-2.0`` or ``delay-3``."""

    def to_json(self) -> Json:
        """Return the shift as JSON types, ``kind`` first; settings left out of it are ``None``."""
        assert dataclasses.is_dataclass(self)
        settings = {name: plain(value) for name, value in dataclasses.asdict(self).items() if value is not None}
        return {"kind": self.kind, **settings}


class ModelShift(Shift):
    """A shift of named fields of the compiled model."""

    __slots__ = ()

    writes: ClassVar[tuple[str, ...]]
    """Fields of ``MjModel`` that the shift sets; ``opt.gravity`` stands for ``MjModel.opt.gravity``."""

    derives: ClassVar[tuple[str, ...]] = ()
    """Fields that follow from those when the model's constants are computed again."""

    @abstractmethod
    def apply(self, model: mujoco.MjModel) -> None:
        """Change the fields of ``model``, which hold their nominal values wherever this shift writes.

        Called only by :func:`transreward_envs.shifts.apply.apply_shifts`, on a fresh copy of the nominal model, so
        that nothing compounds.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledShift(ModelShift):
    """A model shift that multiplies nominal values."""

    scale: float
    """Multiplier [-]; 1.0 changes nothing."""

    def __post_init__(self) -> None:
        require_positive("scale", self.scale)

    @property
    def neutral(self) -> bool:
        """Whether the scale is one."""
        return self.scale == 1.0

    @property
    def part(self) -> str | None:
        """The one part of the robot that is shifted, if it is one."""
        return None

    @property
    def label(self) -> str:
        """Such as ``mass-2.0`` or ``mass-foot-2.0``."""
        return "-".join([self.kind, *([self.part] if self.part else []), str(self.scale)])


class GeometryShift(Shift):
    """A shift of the model's description: the model is compiled again with it, before any field is scaled."""

    __slots__ = ()

    writes: ClassVar[tuple[str, ...]]
    """Fields that the shift sets."""

    derives: ClassVar[tuple[str, ...]] = ()
    """Fields that the compiler derives from those."""

    adds: ClassVar[tuple[str, ...]] = ()
    """Names of the geoms that the shift adds to the model."""

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """Names of the bodies or geoms that it writes; two shifts of one domain must not share any."""

    @abstractmethod
    def edit(self, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        """Edit the description; ``nominal`` is the unshifted model, compiled."""


class ControlShift(Shift):
    """A shift of the way from the agent's action to the actuators: noise, delay, repetition."""

    __slots__ = ()


class ObservationShift(Shift):
    """A shift of the way from the simulator to the agent's observation."""

    __slots__ = ()


class RewardShift(Shift):
    """A shift of what is rewarded; the dynamics stay as they are."""

    __slots__ = ()

    @abstractmethod
    def reward(
        self, terms: dict[str, float], *, position: float, velocity: float, weight: float
    ) -> tuple[float, dict[str, float]]:
        """Return the shifted reward and its terms.

        Args:
            terms: The robot's own reward terms, which add up to its reward.
            position: Of the robot along x, after the step [m].
            velocity: Of the robot along x, over the step [m/s].
            weight: The robot's weight of its forward term [s/m].
        """


def plain(value: Any) -> Any:
    """Return a value as JSON types: tuples as lists, NumPy's numbers as Python's."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def select_names(what: str, given: str | None, names: Sequence[str], *, robot: str) -> list[int]:
    """Return the indices that ``given`` selects from ``names``; every index if it is ``None``.

    Raises:
        ValueError: The robot has nothing of that name.
    """
    if given is None:
        return list(range(len(names)))
    if given not in names:
        raise ValueError(unknown(f"{what} of {robot}", given, [name for name in names if name]))
    return [index for index, name in enumerate(names) if name == given]


def names_of(count: int, access: Callable[[int], Any]) -> list[str]:
    """Return the names of ``count`` model elements, empty for those without one."""
    return [access(index).name for index in range(count)]


def body_names(model: mujoco.MjModel) -> list[str]:
    """Return each body's name, or the name of the joint that moves it where it has none."""
    return [
        body.name or (model.joint(int(body.jntadr[0])).name if body.jntnum[0] else "")
        for body in (model.body(index) for index in range(model.nbody))
    ]


def model_name(model: mujoco.MjModel) -> str:
    """Return the name that the model file gives the robot."""
    return str(model.names.split(b"\0")[0].decode())
