"""What each number of a robot's observation and action is: of which joint, or of which body, it is what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import mujoco

JOINT = mujoco.mjtJoint
KINDS = {
    JOINT.mjJNT_FREE.value: ("free", 7, 6),
    JOINT.mjJNT_BALL.value: ("ball", 4, 3),
    JOINT.mjJNT_SLIDE.value: ("slide", 1, 1),
    JOINT.mjJNT_HINGE.value: ("hinge", 1, 1),
}
"""Of joints: their name, coordinates of position and of velocity."""

Owner = tuple[str, int]
"""The part that a number is of, and which of its numbers it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One number of an observation or an action."""

    quantity: str
    """What it is: ``position``, ``velocity``, ``action``, ``past action``, or MuJoCo's name of another quantity."""

    part: str
    """The joint that it is of; of a body, the first joint that moves it, or its own name if none does."""

    component: int = 0
    """Which of the part's numbers it is; of a past action, by how many steps more than one it is past."""

    neutral: float = 0.0
    """Its value at rest in the robot's initial pose; of an action, the middle of its range."""

    unit: float = 1.0
    """What counts as one of it: half the range of an action, 1 for all else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What a robot's observations and actions are made of."""

    robot: str
    joints: Mapping[str, str]
    """The kind of each joint (``hinge``, ``slide``, ``ball`` or ``free``), by its name."""

    observation: tuple[Entry, ...]
    action: tuple[Entry, ...]

    @property
    def driven_hinges(self) -> tuple[str, ...]:
        """The hinges that an actuator drives."""
        return tuple(entry.part for entry in self.action if self.joints[entry.part] == "hinge")


def layout_of(env: gym.Env[Any, Any]) -> Layout:
    """Return the layout of a domain whose observation is of joints and bodies; its state stays as it is.

    Raises:
        ValueError: The environment does not say what its observation is made of, as Reacher's does not.
    """
    robot: Any = env.unwrapped
    model, name = getattr(robot, "model", None), type(robot).__name__
    structure: dict[str, int] = getattr(robot, "observation_structure", {})
    if not isinstance(model, mujoco.MjModel) or not structure:
        raise ValueError(_unfit(name, "it does not say what its observation is made of"))
    driven = [int(joint) for joint in model.actuator_trnid[:, 0]]
    if (model.actuator_trntype != mujoco.mjtTrn.mjTRN_JOINT.value).any() or len(set(driven)) < len(driven):
        raise ValueError(_unfit(name, "an actuator of it has no joint of its own"))
    action = tuple(
        Entry(
            quantity="action",
            part=model.joint(joint).name,
            neutral=float(low + high) / 2.0,
            unit=float(high - low) / 2.0,
        )
        for joint, low, high in zip(driven, env.action_space.low, env.action_space.high, strict=True)  # type: ignore[attr-defined]
    )
    return Layout(
        robot=name,
        joints={model.joint(index).name: KINDS[int(kind)][0] for index, kind in enumerate(model.jnt_type)},
        observation=_observation(model, structure, action, name),
        action=action,
    )


def _observation(
    model: mujoco.MjModel, structure: Mapping[str, int], action: tuple[Entry, ...], robot: str
) -> tuple[Entry, ...]:
    """Return what an observation is made of, block by block as Gymnasium's classes state it."""
    rest = mujoco.MjData(model)
    mujoco.mj_forward(model, rest)
    positions, velocities, bodies = _coordinates(model, 1), _coordinates(model, 2), _moved_by(model)
    blocks: dict[str, tuple[str, list[Owner], Any]] = {
        "qpos": ("position", positions, rest.qpos),
        "qvel": ("velocity", velocities, rest.qvel),
        "qfrc_actuator": ("qfrc_actuator", velocities[6:], rest.qfrc_actuator[6:]),
    }
    for name in ("cinert", "cvel", "cfrc_ext"):
        values = getattr(rest, name)[1:]
        owners = [(body, component) for body in bodies[1:] for component in range(values.shape[1])]
        blocks[name] = (name, owners, values.ravel())
    entries: list[Entry] = []
    for name, size in structure.items():
        if name == "skipped_qpos" or size == 0:
            continue
        if name == "actions":
            entries += _past_actions(action, size)
            continue
        if name not in blocks:
            raise ValueError(_unfit(robot, f"it observes {name!r}, which is of no joint"))
        quantity, owners, neutral = blocks[name]
        skipped = structure.get("skipped_qpos", 0) if name == "qpos" else 0
        if len(owners) - skipped != size:
            raise ValueError(_unfit(robot, f"it observes {size} of {len(owners)} numbers of {name!r}"))
        entries += [
            Entry(quantity=quantity, part=part, component=component, neutral=float(value))
            for (part, component), value in zip(owners[skipped:], neutral[skipped:], strict=True)
        ]
    return tuple(entries)


def _coordinates(model: mujoco.MjModel, which: int) -> list[Owner]:
    """Return the owners of all positions (1) or velocities (2)."""
    return [
        (model.joint(joint).name, component)
        for joint, kind in enumerate(model.jnt_type)
        for component in range(int(KINDS[int(kind)][which]))
    ]


def _moved_by(model: mujoco.MjModel) -> list[str]:
    """Return of each body the first joint that moves it, or its own name if none does."""
    bodies = (model.body(index) for index in range(model.nbody))
    return [model.joint(int(body.jntadr[0])).name if body.jntnum[0] else body.name for body in bodies]


def _past_actions(action: tuple[Entry, ...], size: int) -> list[Entry]:
    """Return remembered actions, the newest first."""
    return [
        Entry(quantity="past action", part=entry.part, component=age, neutral=entry.neutral, unit=entry.unit)
        for age in range(size // len(action))
        for entry in action
    ]


def _unfit(robot: str, why: str) -> str:
    return (
        f"Joints correspond between robots that observe positions and velocities of their joints, such as Hopper, "
        f"Walker2d, HalfCheetah, Ant, Humanoid and Swimmer; {robot} is none: {why}."
    )
