"""ODRL's 80 targets: every field has the published number, typed here apart from the code that sets it."""

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from transreward_envs import SUITES, get_suite, make_odrl
from transreward_envs.pairs.suites.odrl import ODRL, ODRL_OPTIONAL

Read = Callable[[mujoco.MjModel], object]
Expectation = tuple[str, Read, object]
LEVELS = ("easy", "medium", "hard")
FRICTION_FACTORS = GRAVITY_FACTORS = (0.1, 0.5, 2.0, 5.0)


def friction(geom: str) -> Read:
    return lambda model: model.geom(geom).friction


def sliding(geom: str) -> Read:
    return lambda model: model.geom(geom).friction[0]


def degrees(joint: str) -> Read:
    return lambda model: np.degrees(model.joint(joint).range)


def radians(joint: str) -> Read:
    return lambda model: model.joint(joint).range


def radius(geom: str) -> Read:
    return lambda model: model.geom(geom).size[0]


def world_end(geom: str, *, highest: bool) -> Read:
    """Return where a capsule's axis ends in the world at rest, the upper end or the lower."""

    def read(model: mujoco.MjModel) -> np.ndarray:
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        axis = data.geom(geom).xmat.reshape(3, 3)[:, 2] * model.geom(geom).size[1]
        ends = sorted((data.geom(geom).xpos - axis, data.geom(geom).xpos + axis), key=lambda end: end[2])
        return ends[-1] if highest else ends[0]

    return read


def top(geom: str) -> Read:
    return lambda model: world_end(geom, highest=True)(model)[2]


def bottom(geom: str) -> Read:
    return lambda model: world_end(geom, highest=False)(model)[2]


def body_end(geom: str) -> Read:
    """Return the end of a capsule that is farther from its body's origin, in the body's frame."""

    def read(model: mujoco.MjModel) -> np.ndarray:
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, model.geom(geom).quat)
        axis = rotation.reshape(3, 3)[:, 2] * model.geom(geom).size[1]
        return max((model.geom(geom).pos - axis, model.geom(geom).pos + axis), key=np.linalg.norm)

    return read


def body_at(body: str) -> Read:
    return lambda model: model.body(body).pos


def extent(geom: str) -> Read:
    return lambda model: 2.0 * model.geom(geom).size[1]


def reach(geom: str) -> Read:
    """Return how far along x and along y the far end of one of Ant's ankles lies, without its sign."""
    return lambda model: np.abs(body_end(geom)(model))[:2]


def frictions() -> list[Expectation]:
    rows: list[Expectation] = []
    for factor in FRICTION_FACTORS:
        name = f"hopper-friction-{factor}"
        rows += [(name, sliding(geom), 0.9 * factor) for geom in ("torso_geom", "thigh_geom", "leg_geom")]
        rows += [(name, sliding("foot_geom"), 2.0 * factor), (name, sliding("floor"), 1.0)]
        rows += [
            (f"halfcheetah-friction-{factor}", friction(geom), np.array([0.4, 0.1, 0.1]) * factor)
            for geom in ("floor", "bfoot", "torso")
        ]
        rows += [
            (f"ant-friction-{factor}", friction(geom), np.array([1.0, 0.5, 0.5]) * factor)
            for geom in ("floor", "left_ankle_geom")
        ]
        name = f"walker2d-friction-{factor}"
        rows += [(name, friction("floor"), np.array([0.7, 0.1, 0.1]) * factor)]
        rows += [(name, sliding(geom), 0.9 * factor) for geom in ("torso_geom", "leg_left_geom", "foot_geom")]
        rows += [(name, sliding("foot_left_geom"), 1.9 * factor)]
    return rows


def gravities() -> list[Expectation]:
    numbers = dict(zip(GRAVITY_FACTORS, (-0.981, -4.905, -19.62, -49.05), strict=True))
    return [
        (f"{robot}-gravity-{factor}", lambda model: model.opt.gravity[2], number)
        for robot in ("hopper", "walker2d", "halfcheetah", "ant")
        for factor, number in numbers.items()
    ]


def kinematics() -> list[Expectation]:
    rows: list[Expectation] = []
    symmetric = {"easy": (-36.0, 36.0), "medium": (-22.5, 22.5), "hard": (-9.0, 9.0)}
    bent = {"easy": (-120.0, 0.0), "medium": (-75.0, 0.0), "hard": (-30.0, 0.0)}
    hips = {"easy": (-24.0, 24.0), "medium": (-15.0, 15.0), "hard": (-6.0, 6.0)}
    ankles = {"easy": (30.0, 62.0), "medium": (30.0, 50.0), "hard": (30.0, 38.0)}
    for level, factor in zip(LEVELS, (0.8, 0.5, 0.2), strict=True):
        rows += [
            (f"halfcheetah-kinematic-footjnt-{level}", radians("bfoot"), np.array([-0.4, 0.785]) * factor),
            (f"halfcheetah-kinematic-footjnt-{level}", radians("ffoot"), np.array([-0.5, 0.5]) * factor),
            (f"halfcheetah-kinematic-thighjnt-{level}", radians("bthigh"), np.array([-0.52, 1.05]) * factor),
            (f"halfcheetah-kinematic-thighjnt-{level}", radians("fthigh"), np.array([-1.0, 0.7]) * factor),
            (f"hopper-kinematic-footjnt-{level}", degrees("foot_joint"), symmetric[level]),
            (f"hopper-kinematic-legjnt-{level}", degrees("leg_joint"), bent[level]),
        ]
        for side in ("", "_left"):
            rows += [
                (f"walker2d-kinematic-footjnt-{level}", degrees(f"foot{side}_joint"), symmetric[level]),
                (f"walker2d-kinematic-thighjnt-{level}", degrees(f"thigh{side}_joint"), bent[level]),
            ]
        for leg, sign in enumerate((1, -1, -1, 1), start=1):
            mirrored = sorted(sign * side for side in ankles[level])
            rows += [
                (f"ant-kinematic-hipjnt-{level}", degrees(f"hip_{leg}"), hips[level]),
                (f"ant-kinematic-anklejnt-{level}", degrees(f"ankle_{leg}"), mirrored),
            ]
    return rows


def legs_and_spines() -> list[Expectation]:
    rows: list[Expectation] = []
    front, rear = ("left_ankle_geom", "right_ankle_geom"), ("third_ankle_geom", "fourth_ankle_geom")
    for level, length in zip(LEVELS, (0.32, 0.2, 0.08), strict=True):
        rows += [(f"ant-morph-alllegs-{level}", reach(geom), (length, length)) for geom in (*front, *rear)]
        rows += [(f"ant-morph-halflegs-{level}", reach(geom), (length, length)) for geom in front]
        rows += [(f"ant-morph-halflegs-{level}", reach(geom), (0.4, 0.4)) for geom in rear]
    for level, half in zip(LEVELS, (0.4, 0.25, 0.1), strict=True):
        name = f"halfcheetah-morph-torso-{level}"
        rows += [
            (name, extent("torso"), 2 * half),
            (name, body_at("bthigh"), (-half, 0, 0)),
            (name, body_at("fthigh"), (half, 0, 0)),
            (name, lambda model: model.geom("head").pos, (half + 0.1, 0, 0.1)),
        ]
    thighs = {
        "easy": ((0.11, -0.11), (-0.09, -0.1)),
        "medium": ((0.08, -0.08), (-0.07, -0.08)),
        "hard": ((0.02, -0.02), (-0.04, -0.05)),
    }
    for level, (back, ahead) in thighs.items():
        name = f"halfcheetah-morph-thigh-{level}"
        for body, geom, (x, z) in (
            ("bshin", "bthigh", back),
            ("fshin", "fthigh", ahead),
            ("bfoot", "bshin", (-0.13, -0.15)),
            ("ffoot", "fshin", (0.11, -0.13)),
        ):
            rows += [(name, body_end(geom), (x, 0, z)), (name, body_at(body), (x, 0, z))]
    return rows


def trunks_and_feet() -> list[Expectation]:
    rows: list[Expectation] = []
    torsos = {"easy": (1.53, 0.075), "medium": (1.69, 0.1), "hard": (1.85, 0.125)}
    for robot in ("hopper", "walker2d"):
        for level, (height, thickness) in torsos.items():
            name = f"{robot}-morph-torso-{level}"
            rows += [
                (name, top("torso_geom"), height),
                (name, bottom("torso_geom"), 1.05),
                (name, radius("torso_geom"), thickness),
            ]
    for level, factor, thickness in zip(LEVELS, (0.8, 0.6, 0.4), (0.048, 0.036, 0.024), strict=True):
        name = f"hopper-morph-foot-{level}"
        rows += [(name, extent("foot_geom"), 0.39 * factor), (name, radius("foot_geom"), thickness)]
    for level, knee in zip(LEVELS, (0.5, 0.35, 0.2), strict=True):
        name = f"walker2d-morph-leg-{level}"
        for side in ("", "_left"):
            rows += [
                (name, bottom(f"thigh{side}_geom"), knee),
                (name, top(f"leg{side}_geom"), knee),
                (name, top(f"thigh{side}_geom"), 1.05),
                (name, bottom(f"leg{side}_geom"), 0.1),
            ]
    return rows


EXPECTED = [*frictions(), *gravities(), *kinematics(), *legs_and_spines(), *trunks_and_feet()]


@pytest.mark.parametrize("name", ODRL)
def test_every_field_has_odrls_number(name: str) -> None:
    model = make_odrl(name).make("target").unwrapped.model
    expected = [(read, number) for row, read, number in EXPECTED if row == name]
    assert expected
    for read, number in expected:
        assert np.allclose(np.asarray(read(model), dtype=float), number, rtol=0.0, atol=1e-6)


def test_all_80_names_are_known_one_to_one() -> None:
    names = {row for row, _, _ in EXPECTED}
    assert len(names) == 80
    assert names == set(ODRL)
    assert len({pair.name for pair in ODRL.values()}) == 80
    assert {pair.name for pair in get_suite("odrl")} == {pair.name for pair in ODRL.values()}
    assert "odrl" in SUITES


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (("hopper-friction-0.1",), "Hopper-frictionodrl-0.1"),
        (("hopper-kinematic-legjnt", "easy"), "Hopper-kinematic-legjnt-easy"),
        (("halfcheetah_morph_thigh", "hard"), "HalfCheetah-morph-thigh-hard"),
        (("ant-gravity", 0.5), "Ant-gravity-0.5"),
        (("hopper-gravity", 2), "Hopper-gravity-2.0"),
        (("antmaze-small-centerblock",), "AntMaze-small-centerblock"),
        (("pen-shrink-finger", "medium"), "AdroitPen-shrink-finger-medium"),
    ],
)
def test_odrls_own_names_and_levels_are_understood(given: tuple, name: str) -> None:
    assert make_odrl(*given).name == name


def test_its_mazes_and_hands_make_122_tasks_in_all() -> None:
    assert len(ODRL_OPTIONAL) == 18 + 24
    assert not set(ODRL_OPTIONAL) & set(ODRL)
    assert {make_odrl(name).name for name in ODRL_OPTIONAL} == {
        pair.name for suite in ("antmaze", "adroit") for pair in get_suite(suite)
    }


def test_an_unknown_task_gets_a_suggestion() -> None:
    with pytest.raises(ValueError, match="Unknown ODRL task 'hopper-frition-0.1'. Did you mean 'hopper-friction-0.1'"):
        make_odrl("hopper-frition-0.1")


def test_half_cheetahs_mass_stays_14_kg_in_the_morphologies() -> None:
    for name, pair in ODRL.items():
        if name.startswith("halfcheetah-morph"):
            assert pair.make("target").unwrapped.model.body_mass.sum() == pytest.approx(14.0)


def test_hoppers_two_smallest_frictions_are_one_world_as_in_odrl() -> None:
    from transreward_envs.verification.probes import contact_friction

    low, half = (
        contact_friction(make_odrl("hopper-friction", level).make("target").unwrapped.model) for level in (0.1, 0.5)
    )
    assert low["foot_geom"][0] == half["foot_geom"][0] == 1.0


@pytest.mark.parametrize("name", [name for name in ODRL if "-morph-" in name])
def test_a_morphology_starts_as_high_above_the_floor_as_the_plain_robot(name: str) -> None:
    from transreward_envs.robots.start import clearance

    pair = make_odrl(name)
    source, target = (clearance(pair.make(role).unwrapped.model) for role in ("source", "target"))
    assert target == pytest.approx(source, abs=1e-9)
