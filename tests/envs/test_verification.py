"""Verification: every registered pair passes, and each kind of lie about a pair is found."""

import dataclasses
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from transreward_envs import PAIRS, Pair, get_pair, make_pair
from transreward_envs.robots import model as models
from transreward_envs.robots.domain import Domain
from transreward_envs.shifts import (
    SHIFT_KINDS,
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    ActuatorShift,
    ControlShift,
    DampingShift,
    DirectionShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    LimbShift,
    LinkShift,
    MassShift,
    ObservationNoise,
    ObstacleShift,
    RewardShift,
    Shift,
    WindShift,
)
from transreward_envs.verification import probes
from transreward_envs.verification.effects import EFFECTS


@pytest.mark.parametrize("pair", PAIRS.values(), ids=list(PAIRS))
def test_a_registered_pair_is_what_it_says(pair: Pair) -> None:
    assert pair.verify().require().passed


def test_every_kind_of_shift_has_an_effect_that_is_verified() -> None:
    families = (ControlShift, RewardShift, ObservationNoise)
    assert {kind for kind in SHIFT_KINDS.values() if not issubclass(kind, families)} == set(EFFECTS)


def failures(monkeypatch: pytest.MonkeyPatch, shift: Shift, lie, *, robot: str = "Hopper") -> str:
    """Return what the verification finds when a shift is applied otherwise than it says."""
    pair = make_pair(robot, shift, validate=False)
    monkeypatch.setattr(type(shift), "edit" if hasattr(shift, "edit") else "apply", lie)
    models._compile.cache_clear()
    try:
        return " ".join(check.what for check in pair.verify().failures)
    finally:
        models._compile.cache_clear()


def mass_without_inertia(shift: MassShift, model: mujoco.MjModel) -> None:
    model.body_mass *= shift.scale


def friction_of_the_robot_alone(shift: FrictionShift, model: mujoco.MjModel) -> None:
    model.geom_friction[1:] *= shift.scale


def gravity_of_the_square(shift: GravityShift, model: mujoco.MjModel) -> None:
    model.opt.gravity[2] *= shift.scale**2


def damping_and_armature(shift: DampingShift, model: mujoco.MjModel) -> None:
    model.dof_damping *= shift.scale
    model.dof_armature *= shift.scale


def gear_of_one(shift: ActuatorShift, model: mujoco.MjModel) -> None:
    model.actuator_gear[0] *= shift.scale


def range_about_zero_in_degrees(shift: JointRangeShift, model: mujoco.MjModel) -> None:
    model.jnt_range *= np.degrees(shift.scale)


def wind_that_is_still(shift: WindShift, model: mujoco.MjModel) -> None:
    model.opt.density = 1.2


def geom_without_its_children(shift: LimbShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    (geom,) = (geom for geom in spec.geoms if geom.name == "leg_geom")
    geom.size = [geom.size[0], geom.size[1] * shift.length, 0.0]


def wall_elsewhere(shift: ObstacleShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    spec.worldbody.add_geom(
        name="obstacle", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0.0, 0.0, -50.0], size=[0.1, 10.0, 1.0]
    )


@pytest.mark.parametrize(
    ("shift", "lie", "found"),
    [
        (MassShift(scale=2.0), mass_without_inertia, "inertia of each body"),
        (FrictionShift(scale=0.5), friction_of_the_robot_alone, "friction of foot_geom on the floor"),
        (GravityShift(scale=2.0), gravity_of_the_square, "forces are 2.0 times as large"),
        (DampingShift(scale=2.0), damping_and_armature, "no other field of the models differs"),
        (ActuatorShift(scale=0.5), gear_of_one, "force of each actuator"),
        (JointRangeShift(scale=0.5), range_about_zero_in_degrees, "where leg_joint is held"),
        (WindShift(x=9.0, density=1.2), wind_that_is_still, "the wind pushes the resting robot"),
        (LimbShift(bodies=("leg",), length=0.8), geom_without_its_children, "what hangs on leg is attached to it"),
        (ObstacleShift(x=3.0), wall_elsewhere, "faces of the wall"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "kind", ""),
)
def test_a_shift_that_does_something_else_is_found(
    monkeypatch: pytest.MonkeyPatch, shift: Shift, lie, found: str
) -> None:
    assert found in failures(monkeypatch, shift, lie)


def test_a_torso_put_on_backwards_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from transreward_envs.shifts.capsules import find_link, reshape

    def backwards(shift: LinkShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        link = find_link(nominal, "torso")
        ends = sorted((np.array(shift.start), np.array(shift.end)), key=lambda end: end @ link.start)
        reshape(spec, nominal, link, start=ends[0], end=ends[1], radius=link.radius)

    shift = LinkShift(body="torso", start=(-0.4, 0.0, 0.0), end=(0.4, 0.0, 0.0))
    assert "what hangs on torso is attached" in failures(monkeypatch, shift, backwards, robot="HalfCheetah")


def test_stale_constants_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from transreward_envs.shifts import apply

    monkeypatch.setattr(apply, "recompute_constants", lambda model: None)
    pair = make_pair("Hopper", MassShift(scale=2.0), validate=False)
    assert "target: derived constants are fresh" in [check.what for check in pair.verify().failures]


@pytest.mark.parametrize(
    ("shift", "attribute", "value", "found"),
    [
        (ActionDelay(steps=2), "delay", 1, "step at which an action arrives"),
        (ActionRepeat(times=3), "repeat", 2, "time that an action lasts"),
        (ActionNoise(half_width=0.2), "widths", np.full(3, 0.1), "they nearly reach it"),
    ],
)
def test_a_control_path_that_does_something_else_is_found(
    monkeypatch: pytest.MonkeyPatch, shift: Shift, attribute: str, value: object, found: str
) -> None:
    from transreward_envs.robots.control import ControlPath

    pair = make_pair("Hopper", shift, validate=False)
    init = ControlPath.__init__

    def lying(self: ControlPath, shifts: object, **kwargs: object) -> None:
        init(self, shifts, **kwargs)
        if shifts:
            setattr(self, attribute, value)

    monkeypatch.setattr(ControlPath, "__init__", lying)
    assert found in " ".join(check.what for check in pair.verify().failures)


def test_a_reward_that_is_not_the_stated_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair("Hopper", DirectionShift(heading="backward"), validate=False)
    monkeypatch.setattr(DirectionShift, "reward", lambda self, terms, **kwargs: (sum(terms.values()), terms))
    assert "reward of a step" in " ".join(check.what for check in pair.verify().failures)


def test_observation_noise_of_another_size_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair("Hopper", ObservationNoise(std=0.2), validate=False)
    monkeypatch.setattr(Domain, "_observed", lambda self, observation: observation)
    assert "standard deviation" in " ".join(check.what for check in pair.verify().failures)


def test_a_start_that_is_worse_than_the_sources_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "lift_start", lambda spec, model, lift: None)
    models._compile.cache_clear()
    try:
        pair = make_pair("Hopper", LimbShift(bodies=("leg",), length=1.5), validate=False)
        found = " ".join(check.what for check in pair.verify().failures)
    finally:
        models._compile.cache_clear()
    assert "clearance above the floor" in found
    assert "the target starts no deeper in a contact" in found


def test_the_friction_of_a_contact_is_read_from_the_contact() -> None:
    plain, weak = (get_pair("Hopper-frictionodrl-0.1").make(role).unwrapped.model for role in ("source", "target"))
    assert weak.geom("foot_geom").friction[0] == pytest.approx(0.2)
    assert probes.contact_friction(weak)["foot_geom"][0] == 1.0
    assert probes.contact_friction(plain)["foot_geom"][0] == 2.0


def test_a_failed_verification_says_what_was_expected_and_measured() -> None:
    verification = get_pair("Hopper-gravity-2.0").verify()
    failed = dataclasses.replace(verification.checks[0], passed=False)
    with pytest.raises(ValueError, match="'Hopper-gravity-2.0' is not. source: derived constants are fresh: expected"):
        dataclasses.replace(verification, checks=(failed,)).require()
    assert not dataclasses.replace(verification, checks=()).passed


def test_registering_everything_is_quick() -> None:
    code = (
        "import time, gymnasium, numpy; start = time.perf_counter()\n"
        "import transreward_envs; print(time.perf_counter() - start)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 1.0  # the figure itself is a benchmark's
