"""Shifts: JSON, neutrality, composition, and equality with a recompiled model."""

import json

import mujoco
import numpy as np
import pytest
from gymnasium.envs.mujoco.mujoco_env import expand_model_path
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import all_shifts, model_shifts, scales
from transreward_envs.differences import differing_fields
from transreward_envs.robots.model import _compile, load_base_model, load_model
from transreward_envs.shifts import (
    ActuatorShift,
    BrokenActuator,
    DampingShift,
    FrictionShift,
    JointRangeShift,
    LimbShift,
    MassShift,
    OdrlFriction,
    Shift,
    StiffnessShift,
    WindShift,
    parse_shift,
    parse_shifts,
)
from transreward_envs.shifts.apply import apply_shifts

FILES = {
    "Hopper": "hopper.xml",
    "Walker2d": "walker2d_v5.xml",
    "HalfCheetah": "half_cheetah.xml",
    "Ant": "ant.xml",
    "Humanoid": "humanoid.xml",
}
SCALED = ("mass", "friction", "gravity", "damping", "armature", "stiffness", "actuator", "joint_range", "timestep")
NEUTRAL = [
    *({"kind": kind, "scale": 1.0} for kind in SCALED),
    {"kind": "limb", "bodies": ["torso"], "length": 1.0},
    {"kind": "wind"},
]


def model_of(robot: str) -> mujoco.MjModel:
    return load_base_model(expand_model_path(FILES[robot]))


@given(shift=all_shifts)
def test_a_shift_survives_json(shift: Shift) -> None:
    assert parse_shift(json.loads(json.dumps(shift.to_json()))) == shift


def test_numpys_numbers_become_json() -> None:
    shifts = [MassShift(scale=np.float32(2.0)), parse_shift({"kind": "delay", "steps": np.int64(3)})]
    assert json.dumps([shift.to_json() for shift in shifts])


@pytest.mark.parametrize("robot", FILES)
def test_the_nominal_model_is_gymnasiums_bit_for_bit(robot: str, capfd: pytest.CaptureFixture[str]) -> None:
    stock = mujoco.MjModel.from_xml_path(expand_model_path(FILES[robot]))
    capfd.readouterr()
    _compile.cache_clear()
    ours = model_of(robot)
    assert "deprecated" not in "".join(capfd.readouterr())
    for name in dir(stock):
        if isinstance(value := getattr(stock, name), np.ndarray):
            assert np.array_equal(value, getattr(ours, name), equal_nan=value.dtype.kind == "f"), name
    assert stock.stat.meaninertia == ours.stat.meaninertia
    assert differing_fields(stock, ours) <= {"names"}


@pytest.mark.parametrize("robot", FILES)
def test_neutral_shifts_change_nothing_bit_for_bit(robot: str) -> None:
    nominal = model_of(robot)
    model = load_model(expand_model_path(FILES[robot]), parse_shifts(NEUTRAL))
    for name in dir(nominal):
        if isinstance(value := getattr(nominal, name), np.ndarray):
            assert np.array_equal(value, getattr(model, name), equal_nan=value.dtype.kind == "f"), name


@given(shift=model_shifts(), robot=st.sampled_from(sorted(FILES)))
def test_applying_shifts_twice_equals_once_and_leaves_the_nominal_model_alone(shift: Shift, robot: str) -> None:
    nominal = model_of(robot)
    untouched = {name: np.copy(getattr(nominal, name)) for name in ("body_mass", "geom_friction", "actuator_gear")}
    first, second = apply_shifts(nominal, [shift]), apply_shifts(nominal, [shift])
    assert differing_fields(first, second) == set()
    assert all(np.array_equal(getattr(nominal, name), value) for name, value in untouched.items())


@given(first=model_shifts(), second=model_shifts(), robot=st.sampled_from(sorted(FILES)))
def test_shifts_of_different_fields_commute(first: Shift, second: Shift, robot: str) -> None:
    if first.kind == second.kind:
        return
    nominal = model_of(robot)
    there, back = apply_shifts(nominal, [first, second]), apply_shifts(nominal, [second, first])
    assert differing_fields(there, back) == set()


@given(first=scales, second=scales)
def test_shifts_of_different_parts_commute(first: float, second: float) -> None:
    nominal = model_of("Walker2d")
    pair = [MassShift(scale=first, body="foot"), MassShift(scale=second, body="torso")]
    there, back = apply_shifts(nominal, pair), apply_shifts(nominal, pair[::-1])
    assert differing_fields(there, back) == set()
    foot = nominal.body("foot").id
    assert there.body_mass[foot] == pytest.approx(nominal.body_mass[foot] * first)


@pytest.mark.parametrize(
    "shifts",
    [
        [{"kind": "mass", "scale": 2.0}, {"kind": "mass", "scale": 0.5, "body": "foot"}],
        [{"kind": "actuator", "scale": 0.5}, {"kind": "broken", "actuator": "foot_joint"}],
        [{"kind": "friction", "scale": 2.0}, {"kind": "frictionodrl", "scale": 2.0}],
        [{"kind": "limb", "bodies": ["foot"], "length": 2.0}, {"kind": "link", "body": "foot", "end": [0.1, 0, 0.1]}],
        [{"kind": "gravity", "scale": 2.0}, {"kind": "gravity", "scale": 0.5}],
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_two_shifts_that_write_the_same_field_are_an_error(shifts: list[dict], order: int) -> None:
    with pytest.raises(ValueError, match="Two shifts must not write the same field"):
        load_model(expand_model_path("hopper.xml"), parse_shifts(shifts[::order]))


def test_half_cheetahs_mass_is_not_renormalised_away() -> None:
    nominal = model_of("HalfCheetah")
    assert nominal.body_mass.sum() == pytest.approx(14.0)
    assert apply_shifts(nominal, [MassShift(scale=2.0)]).body_mass.sum() == pytest.approx(28.0)
    heavy_torso = apply_shifts(nominal, [MassShift(scale=2.0, body="torso")])
    assert np.allclose(heavy_torso.body_mass[2:], nominal.body_mass[2:], rtol=0.0, atol=0.0)


@pytest.mark.parametrize(
    ("robot", "joint", "scale", "expected"),
    [
        ("Hopper", "leg_joint", 0.5, (-75.0, 0.0)),
        ("Hopper", "foot_joint", 0.2, (-9.0, 9.0)),
        ("Ant", "ankle_1", 0.5, (30.0, 50.0)),
        ("Ant", "ankle_2", 0.5, (-50.0, -30.0)),
        ("Ant", "hip_1", 0.2, (-6.0, 6.0)),
    ],
)
def test_a_joint_range_shrinks_towards_the_rest_pose(
    robot: str, joint: str, scale: float, expected: tuple[float, float]
) -> None:
    model = apply_shifts(model_of(robot), [JointRangeShift(scale=scale, joints=(joint,))])
    assert np.degrees(model.joint(joint).range) == pytest.approx(expected)


def test_a_broken_actuator_moves_nothing() -> None:
    model = apply_shifts(model_of("Ant"), [BrokenActuator(actuator="hip_4")])
    data = mujoco.MjData(model)
    data.ctrl[0] = 1.0
    mujoco.mj_forward(model, data)
    assert data.qfrc_actuator[model.joint("hip_4").dofadr[0]] == 0.0


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 10**400, -(10**400)])
@pytest.mark.parametrize("kind", SCALED)
def test_a_scale_must_be_finite_and_positive(kind: str, scale: float) -> None:
    with pytest.raises(ValueError, match=r"`scale` must be finite and > 0; got"):
        parse_shift({"kind": kind, "scale": scale})


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"kind": "mas", "scale": 2.0}, ValueError, "Unknown shift kind 'mas'. Did you mean 'mass'"),
        ({"kind": "mass", "scal": 2.0}, ValueError, "Unknown setting of a mass shift 'scal'. Did you mean 'scale'"),
        ({"kind": "mass"}, TypeError, "A mass shift needs `scale`"),
        ({"kind": "mass", "scale": "2"}, TypeError, "`scale` must be a number"),
        ({"kind": "delay", "steps": 1.5}, TypeError, "`steps` must be an integer"),
        ({"kind": "delay", "steps": -1}, ValueError, "`steps` must be an integer >= 0"),
        ({"kind": "repeat", "times": 0}, ValueError, "`times` must be an integer >= 1"),
        ({"kind": "noise", "half_width": -0.1}, ValueError, "`half_width` must be finite and >= 0"),
        ({"kind": "noise", "half_width": 0.1, "dimension": 0.5}, TypeError, "`dimension` must be an integer"),
        ({"kind": "joint_range", "scale": 0.5, "joints": "leg_joint"}, TypeError, "`joints` must be a list"),
        ({"kind": "joint_range", "scale": 0.5, "joints": []}, ValueError, "`joints` must name at least one joint"),
        ({"kind": ["mass"]}, ValueError, "Unknown shift kind"),
        ({"kind": "broken", "actuator": None}, TypeError, "A broken actuator is given by its name"),
        ({"kind": "joint_range", "scale": 0.5, "joints": ["a", "a"]}, ValueError, "must name each joint once"),
        ({"kind": "joint_range"}, ValueError, "has a `scale` or `limits`, one of the two"),
        ({"kind": "joint_range", "scale": 1.0, "limits": [0, 1]}, ValueError, "has a `scale` or `limits`"),
        ({"kind": "joint_range", "limits": [0, 1]}, ValueError, "`limits` need `joints`"),
        ({"kind": "joint_range", "limits": [1, 0], "joints": ["a"]}, ValueError, "the lower first; got"),
        ({"kind": "joint_range", "limits": 3, "joints": ["a"]}, TypeError, "`limits` must be two numbers"),
        ({"kind": "limb", "bodies": "leg"}, TypeError, "`bodies` must be a list"),
        ({"kind": "limb", "bodies": []}, ValueError, "`bodies` must name at least one"),
        ({"kind": "limb", "bodies": ["leg"], "length": 0.0}, ValueError, "`length` must be finite and > 0"),
        ({"kind": "link", "body": "leg", "end": [0, 1]}, TypeError, "`end` must be three numbers"),
        ({"kind": "link", "body": "leg", "end": [0, 0, 1], "start": [0, 0, 1]}, ValueError, "ends must differ"),
        ({"kind": "link", "body": "leg", "end": [0, 0, 1], "radius": -1}, ValueError, "`radius` must be finite"),
        ({"kind": "obstacle", "x": float("nan")}, ValueError, "`x` must be finite"),
        ({"kind": "wind", "x": "strong"}, TypeError, "`x` must be a number"),
        ({"kind": "wind", "density": -1.0}, ValueError, "`density` must be finite and > 0"),
        ({"kind": "observation_noise", "std": -1.0}, ValueError, "`std` must be finite and >= 0"),
        ({"kind": "direction", "heading": "up"}, ValueError, "Unknown heading 'up'"),
        ({"kind": "velocity", "goal": float("inf")}, ValueError, "`goal` must be finite"),
        ({"kind": "sparse", "distance": 0.0}, ValueError, "`distance` must be finite and > 0"),
        (3.0, TypeError, "Shifts are a list such as"),
        ([3.0], TypeError, "A shift is a mapping such as"),
    ],
)
def test_bad_shifts_say_what_is_wrong(data: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_shifts(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (MassShift(scale=2.0, body="tors"), "Unknown body of hopper 'tors'. Did you mean 'torso'"),
        (DampingShift(scale=2.0, joint="leg"), "Unknown joint of hopper 'leg'. Did you mean 'leg_joint'"),
        (ActuatorShift(scale=2.0, actuator="foot"), "Unknown actuator of hopper 'foot'. Did you mean 'foot_joint'"),
        (BrokenActuator(actuator="knee"), "Unknown actuator of hopper 'knee'. Valid names: foot_joint"),
        (JointRangeShift(scale=0.5, joints=("rootx",)), "needs joints with limits; joint 'rootx' of hopper has none"),
        (MassShift(scale=2.0, body="world"), "A shift must change the model"),
        (DampingShift(scale=2.0, joint="rootx"), "A shift must change the model"),
        (StiffnessShift(scale=2.0), "A shift must change the model"),
        (WindShift(x=5.0), "Wind needs a medium; the density of this robot's is 0"),
        (JointRangeShift(joints=("leg_joint",), limits=(-2.0, -1.0)), "A joint's rest pose must stay in its range"),
        (LimbShift(bodies=("toe",), length=2.0), "Unknown body of hopper 'toe'"),
        (LimbShift(bodies=("foot",), length=1e-12), "A link must be at least 0.0001 m long"),
        (LimbShift(bodies=("world",), length=2.0), "needs a body of the robot; 'world' is none"),
    ],
)
def test_a_part_that_is_not_there_or_does_not_change_is_an_error(shift: Shift, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_model(expand_model_path("hopper.xml"), [shift])


def test_odrls_friction_is_for_two_robots() -> None:
    with pytest.raises(ValueError, match="differs from the `friction` shift on Hopper and Walker2d only; got 'ant'"):
        apply_shifts(model_of("Ant"), [OdrlFriction(scale=2.0)])


@pytest.mark.parametrize("file", ["inverted_pendulum.xml", "pusher_v5.xml", "swimmer.xml", "reacher.xml"])
def test_friction_means_nothing_without_contacts_that_have_it(file: str) -> None:
    pendulum = load_base_model(expand_model_path(file))
    with pytest.raises(ValueError, match="needs a robot with contacts"):
        apply_shifts(pendulum, [FrictionShift(scale=2.0)])
