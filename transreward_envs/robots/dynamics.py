"""Which shifts are in force in a domain, and what they make of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import NDArray

from transreward_envs.robots.control import ControlPath
from transreward_envs.robots.model import load_model
from transreward_envs.robots.streams import Streams
from transreward_envs.shifts import ActionDelay, GeometryShift, ModelShift, ObservationNoise, RewardShift, Shift
from transreward_envs.shifts.apply import read_field, write_field
from transreward_envs.variation.changes import ShiftChange
from transreward_envs.variation.varying import VaryingLike, VaryingShifts

if TYPE_CHECKING:
    from transreward_envs.robots.domain import Domain


class Dynamics:
    """The shifts of a domain: fixed ones, those that vary from episode to episode, and changes within one.

    Args:
        domain: Whose model is written to.
        fixed: Shifts in force throughout, until a change takes their place.
        shift_range: Shifts drawn at each reset.
        shift_schedule: Shifts that follow a schedule over episodes.
        changes: Changes within each episode.
        observe_actions: How many past actions are remembered.
        observe_shift: Whether the values of varying shifts are observed.

    Raises:
        ValueError: A combination of shifts breaks a rule, or there is nothing to observe.
    """

    def __init__(
        self,
        domain: Domain,
        fixed: tuple[Shift, ...],
        *,
        shift_range: VaryingLike,
        shift_schedule: VaryingLike,
        changes: tuple[ShiftChange, ...],
        observe_actions: int,
        observe_shift: bool,
    ) -> None:
        self.varying = VaryingShifts(shift_range, shift_schedule)
        if observe_shift and not self.varying:
            raise ValueError("`observe_shift` needs shifts that vary; give `shift_range` or `shift_schedule`.")
        self.observe_shift = observe_shift
        self.values: NDArray[np.float64] = self.varying.low.copy()
        self.control = ControlPath((), action_size=domain.model.nu, memory=observe_actions)
        self.observation_std = 0.0
        self.reward: RewardShift | None = None
        self._domain = domain
        self._fixed, self._changes = fixed, changes
        self._shape = tuple(shift for shift in fixed if isinstance(shift, GeometryShift))
        self._longest_delay = 0
        self._step, self._changed = 0, 0
        self.varies, self.changes = bool(self.varying or changes), bool(changes)
        self._fields: set[str] = set()
        if self.varies:
            self._check_combinations()
        self._install(fixed, write=False)

    @property
    def plain(self) -> bool:
        """Whether a step is the robot's own, but for its model."""
        unseen = self.observation_std == 0.0 and self.control.passive and self.reward is None
        return unseen and not self.varies

    @property
    def noisy(self) -> bool:
        """Whether the observation has noise, in some episode at some step."""
        changed = (shift for change in self._changes for shift in change.shifts)
        shifts = (*self._fixed, *changed, *self.varying.at(self.varying.high))
        return any(isinstance(shift, ObservationNoise) and not shift.neutral for shift in shifts)

    def restart(self, streams: Streams) -> None:
        """Begin schedules over episodes again: the env was seeded."""
        self.varying.restart(streams.shift)

    def start_episode(self, streams: Streams) -> None:
        """Draw what varies, and put the episode's first shifts in force."""
        self._step, self._changed = 0, 0
        if self.varies:
            self.values = self.varying.draw()
            self._install((*self._fixed, *self.varying.at(self.values)))
        self.control.reset(streams.action)

    def start_step(self) -> None:
        """Put in force what changes at this step."""
        while self._changed < len(self._changes) and self._step >= self._changes[self._changed].step:
            change = self._changes[self._changed]
            self._changed += 1
            past = self.control
            self._install((*self._shape, *change.shifts, *self.varying.at(self.values)))
            self.control.take_over(past)
        self._step += 1

    def info(self) -> dict[str, float]:
        """Return the values in force, for ``info``."""
        info = {f"shift/{name}": float(value) for name, value in zip(self.varying.names, self.values, strict=True)}
        return {**info, "shift/changes": float(self._changed)} if self._changes else info

    def _install(self, shifts: tuple[Shift, ...], *, write: bool = True) -> None:
        """Put shifts in force."""
        domain = self._domain
        if write:
            overwrite(domain.model, load_model(domain.fullpath, shifts), self._fields)
            domain.init_qpos = domain.model.qpos0.copy()
        self.control = ControlPath(
            shifts, action_size=domain.model.nu, memory=self.control.memory, remember=self._longest_delay
        )
        self.observation_std = sum(shift.std for shift in shifts if isinstance(shift, ObservationNoise))
        self.reward = next((shift for shift in shifts if isinstance(shift, RewardShift) and not shift.neutral), None)
        self._check(shifts)
        if write:
            domain.on_dynamics()

    def _check(self, shifts: tuple[Shift, ...]) -> None:
        """Raise ``ValueError`` for shifts of the observation or the reward that do not go together, or not here."""
        active = [shift for shift in shifts if not shift.neutral]
        for family in (ObservationNoise, RewardShift):
            same = [shift.label for shift in active if isinstance(shift, family)]
            if len(same) > 1:
                raise ValueError(
                    f"Two shifts must not write the same field; {' and '.join(map(repr, same))} change the same "
                    "observation or reward. Keep one."
                )
        for shift in active:
            if not isinstance(shift, RewardShift) or self._domain.runs:
                continue
            raise ValueError(
                f"A {shift.kind} shift needs a robot that is rewarded for running; "
                f"{type(self._domain).__name__} is not. Choose Hopper, Walker2d, HalfCheetah, Ant, Humanoid or Swimmer."
            )

    def _check_combinations(self) -> None:
        """Raise ``ValueError`` unless all shifts go together, at the ends of their ranges and between them."""
        low, high = self.varying.low, self.varying.high
        for values in (low, high, low + 0.618 * (high - low)):
            for fixed in (self._fixed, *((*self._shape, *change.shifts) for change in self._changes)):
                shifts = (*fixed, *self.varying.at(values))
                delays = [shift.steps for shift in shifts if isinstance(shift, ActionDelay)]
                self._longest_delay = max(self._longest_delay, *delays, 0)
                for shift in shifts:
                    if isinstance(shift, (ModelShift, GeometryShift)) and shift not in self._shape:
                        self._fields |= {*shift.writes, *shift.derives}
                    if isinstance(shift, GeometryShift) and shift.adds and shift not in self._fixed:
                        raise ValueError(
                            f"A shift that varies must keep the size of the model; {shift.label!r} adds to it. Give it "
                            "as `shift`."
                        )
                self._check(shifts)
                ControlPath(shifts, action_size=self._domain.model.nu, memory=0)
                load_model(self._domain.fullpath, shifts)


def overwrite(model: mujoco.MjModel, other: mujoco.MjModel, fields: set[str]) -> None:
    """Write the given fields of ``other`` into ``model``, which the simulation and the renderer hold on to."""
    for field in fields:
        value = read_field(other, field)
        if value is not None and field != "ngeom":
            write_field(model, field, value)
