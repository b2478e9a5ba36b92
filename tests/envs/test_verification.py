"""Verification: every registered pair passes, and each kind of lie about a pair is found."""

import dataclasses

import mujoco
import numpy as np
import pytest

from transreward_envs import PAIRS, Pair, get_pair, make_pair
from transreward_envs.robots import model as models
from transreward_envs.robots.domain import Domain
from transreward_envs.shifts import (
    SHIFT_KINDS,
    ActuatorShift,
    ControlShift,
    DampingShift,
    FrictionShift,
    GravityShift,
    JointRangeShift,
    LimbShift,
    LinkShift,
    MassShift,
    ObservationNoise,
    ObstacleShift,
    OdrlFriction,
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


def torsion_of_its_own(shift: OdrlFriction, model: mujoco.MjModel) -> None:
    model.geom_friction[1:] *= shift.scale
    model.geom_friction[:, 1] *= 50.0


def gravity_of_the_square(shift: GravityShift, model: mujoco.MjModel) -> None:
    model.opt.gravity[2] *= shift.scale**2


def gravity_across(shift: GravityShift, model: mujoco.MjModel) -> None:
    model.opt.gravity[1:] = 5.0, model.opt.gravity[2] * shift.scale


def damping_and_armature(shift: DampingShift, model: mujoco.MjModel) -> None:
    model.dof_damping *= shift.scale
    model.dof_armature *= shift.scale


def gear_of_one(shift: ActuatorShift, model: mujoco.MjModel) -> None:
    model.actuator_gear[0] *= shift.scale


def range_about_zero_in_degrees(shift: JointRangeShift, model: mujoco.MjModel) -> None:
    model.jnt_range *= np.degrees(shift.scale)


def range_of_another_joint_too(shift: JointRangeShift, model: mujoco.MjModel) -> None:
    model.joint("foot_joint").range *= shift.scale
    model.joint("thigh_joint").range *= 0.5


def wind_that_is_still(shift: WindShift, model: mujoco.MjModel) -> None:
    model.opt.density = 1.2


def wind_of_water(shift: WindShift, model: mujoco.MjModel) -> None:
    model.opt.density = 12.0
    model.opt.wind[0] += shift.x


def geom_without_its_children(shift: LimbShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    (geom,) = (geom for geom in spec.geoms if geom.name == "leg_geom")
    geom.size = [geom.size[0], geom.size[1] * shift.length, 0.0]


SHORTEN = LimbShift.edit
SHORT_FOOT = LimbShift(bodies=("foot",), length=0.8)
FOOT_RANGE = JointRangeShift(scale=0.5, joints=("foot_joint",))


def denser(shift: LimbShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    SHORTEN(shift, spec, nominal)
    for geom in spec.geoms:
        geom.density *= 3.0


def with_another_joint_moved(shift: LimbShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    SHORTEN(shift, spec, nominal)
    joint = next(joint for joint in spec.joints if joint.name == "thigh_joint")
    joint.pos = [0.0, 0.0, 0.05]


def turned_aside(shift: LimbShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    (geom,) = (geom for geom in spec.geoms if geom.name == "left_ankle_geom")
    geom.fromto = [0.0, 0.0, 0.0, 0.4 * shift.length, -0.4 * shift.length, 0.0]


def hand_left_behind(shift: LimbShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    SHORTEN(shift, spec, nominal)
    hand = next(geom for geom in spec.geoms if geom.name == "right_hand")
    hand.pos = nominal.geom("right_hand").pos


def wall(**settings: object):
    def edit(shift: ObstacleShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        box = {"pos": [3.0, 0.0, 1.0], "size": [0.1, 10.0, 1.0], "contype": 1, "conaffinity": 1, **settings}
        spec.worldbody.add_geom(name="obstacle", type=mujoco.mjtGeom.mjGEOM_BOX, **box)

    return edit


@pytest.mark.parametrize(
    ("robot", "shift", "lie", "found"),
    [
        ("Hopper", MassShift(scale=2.0), mass_without_inertia, "inertia of each body"),
        ("Hopper", FrictionShift(scale=0.5), friction_of_the_robot_alone, "friction of foot_geom on the floor"),
        ("Hopper", OdrlFriction(scale=2.0), torsion_of_its_own, "friction of foot_geom on the floor"),
        ("Hopper", GravityShift(scale=2.0), gravity_of_the_square, "forces of 2.0 times the gravity"),
        ("Hopper", GravityShift(scale=2.0), gravity_across, "gravity [m/s^2]"),
        ("Hopper", DampingShift(scale=2.0), damping_and_armature, "no other field of the models differs"),
        ("Hopper", ActuatorShift(scale=0.5), gear_of_one, "force of each actuator"),
        ("Hopper", JointRangeShift(scale=0.5), range_about_zero_in_degrees, "where leg_joint is held"),
        (
            "Hopper",
            JointRangeShift(scale=0.5, joints=("foot_joint",)),
            range_of_another_joint_too,
            "range of each joint",
        ),
        ("Hopper", WindShift(x=9.0, density=1.2), wind_that_is_still, "wind [m/s]"),
        ("Hopper", WindShift(x=9.0, density=1.2), wind_of_water, "density of the medium"),
        ("Hopper", LimbShift(bodies=("leg",), length=0.8), geom_without_its_children, "where foot turns on leg"),
        ("Hopper", SHORT_FOOT, denser, "density of each body"),
        (
            "Hopper",
            LimbShift(bodies=("foot",), length=0.8),
            with_another_joint_moved,
            "every joint's place in its body",
        ),
        ("Ant", LimbShift(bodies=("ankle_1",), length=0.8), turned_aside, "ends of ankle_1"),
        ("Humanoid", LimbShift(bodies=("right_lower_arm",), length=0.8), hand_left_behind, "every other geom's place"),
        ("Hopper", ObstacleShift(x=3.0), wall(pos=[0.0, 0.0, -50.0]), "faces of the wall"),
        ("Hopper", ObstacleShift(x=3.0), wall(size=[0.1, 10.0, 0.1]), "faces of the wall"),
        ("Hopper", ObstacleShift(x=3.0), wall(size=[0.1, 5.0, 1.0]), "half its width"),
        ("Hopper", ObstacleShift(x=3.0), wall(contype=0, conaffinity=0), "every solid geom of the robot meets it"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "kind", None) or str(value),
)
def test_a_shift_that_does_something_else_is_found(
    monkeypatch: pytest.MonkeyPatch, robot: str, shift: Shift, lie, found: str
) -> None:
    assert found in failures(monkeypatch, shift, lie, robot=robot)


def test_a_torso_put_on_backwards_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from transreward_envs.shifts.capsules import find_link, reshape

    def backwards(shift: LinkShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        link = find_link(nominal, "torso")
        ends = sorted((np.array(shift.start), np.array(shift.end)), key=lambda end: end @ link.start)
        reshape(spec, nominal, link, start=ends[0], end=ends[1], radius=link.radius)

    shift = LinkShift(body="torso", start=(-0.4, 0.0, 0.0), end=(0.4, 0.0, 0.0))
    assert "where bthigh, fthigh turns on torso" in failures(monkeypatch, shift, backwards, robot="HalfCheetah")


def test_stale_constants_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from transreward_envs.shifts import apply

    monkeypatch.setattr(apply, "recompute_constants", lambda model: None)
    pair = make_pair("Hopper", MassShift(scale=2.0), validate=False)
    assert "target: derived constants are fresh" in [check.what for check in pair.verify().failures]


def found_in(pair: Pair) -> str:
    return " ".join(check.what for check in pair.verify().failures)


def test_other_heights_that_end_an_episode_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair("Hopper", LimbShift(bodies=("leg",), length=1.5), validate=False)
    monkeypatch.setattr(Domain, "on_dynamics", lambda self: setattr(self, "_healthy_z_range", (0.0, 100.0)))
    assert "an episode ends outside heights" in found_in(pair)


def test_a_wall_through_the_robot_is_found() -> None:
    with pytest.raises(ValueError, match="the robot stands clear of it at rest"):
        make_pair("HalfCheetah", {"kind": "obstacle", "x": 0.0})


def test_a_source_that_starts_worse_than_the_plain_robot_is_found() -> None:
    limb = {"kind": "limb", "bodies": ["pelvis"], "length": 0.5}
    assert "source: starts no deeper in a contact" in found_in(make_pair("Humanoid", source=limb, validate=False))


def test_a_start_that_is_worse_than_the_sources_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "lift_start", lambda spec, model, lift: None)
    models._compile.cache_clear()
    try:
        pair = make_pair("Hopper", LimbShift(bodies=("leg",), length=1.5), validate=False)
        found = " ".join(check.what for check in pair.verify().failures)
    finally:
        models._compile.cache_clear()
    assert "clearance above the floor" in found
    assert "target: starts no deeper in a contact" in found


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
