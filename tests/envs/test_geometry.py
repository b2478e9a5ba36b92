"""Shifts of a robot's shape: what hangs on a limb follows, and the robot stands where it stood."""

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.envs.mujoco.mujoco_env import expand_model_path
from hypothesis import given
from hypothesis import strategies as st

from transreward_envs.differences import differing_fields
from transreward_envs.robots.model import load_base_model, load_model
from transreward_envs.robots.start import clearance, start_height
from transreward_envs.shifts import LimbShift, LinkShift, ObstacleShift, Shift, parse_shifts
from transreward_envs.shifts.capsules import child_anchors, find_link

FILES = {
    "Hopper": "hopper.xml",
    "Walker2d": "walker2d_v5.xml",
    "HalfCheetah": "half_cheetah.xml",
    "Ant": "ant.xml",
    "Humanoid": "humanoid.xml",
    "Swimmer": "swimmer.xml",
}
LIMBS = {
    "Hopper": ("thigh", "leg", "foot"),
    "Walker2d": ("thigh", "leg_left", "foot"),
    "HalfCheetah": ("bthigh", "bshin", "ffoot"),
    "Ant": ("aux_1", "ankle_2"),
    "Humanoid": ("right_thigh", "left_shin", "right_upper_arm"),
    "Swimmer": ("mid", "back"),
}
robots_and_limbs = st.sampled_from([(robot, limb) for robot, limbs in LIMBS.items() for limb in limbs])
factors = st.floats(0.4, 2.0).filter(lambda factor: abs(factor - 1.0) > 1e-3)


def model_of(robot: str, *shifts: Shift) -> mujoco.MjModel:
    return load_model(expand_model_path(FILES[robot]), shifts)


@given(chosen=robots_and_limbs, length=factors, radius=factors)
def test_a_limb_has_its_length_and_the_robot_its_clearance(
    chosen: tuple[str, str], length: float, radius: float
) -> None:
    robot, limb = chosen
    nominal, model = model_of(robot), model_of(robot, LimbShift(bodies=(limb,), length=length, radius=radius))
    before, after = find_link(nominal, limb), find_link(model, limb)
    assert np.linalg.norm(after.end - after.start) == pytest.approx(length * np.linalg.norm(before.end - before.start))
    assert after.radius == pytest.approx(radius * before.radius)
    assert clearance(model) == pytest.approx(clearance(nominal), abs=1e-9)


@given(chosen=robots_and_limbs, length=factors)
def test_what_hangs_on_a_limb_hangs_on_it_still(chosen: tuple[str, str], length: float) -> None:
    robot, limb = chosen
    nominal, model = model_of(robot), model_of(robot, LimbShift(bodies=(limb,), length=length))
    before, after = find_link(nominal, limb), find_link(model, limb)
    for name, anchor in child_anchors(nominal, before).items():
        gap = min(np.linalg.norm(anchor - end) for end in (before.start, before.end))
        now = child_anchors(model, after)[name]
        assert min(np.linalg.norm(now - end) for end in (after.start, after.end)) <= gap + 1e-9


@given(chosen=robots_and_limbs, length=factors)
def test_a_link_that_is_given_its_own_ends_is_the_nominal_one(chosen: tuple[str, str], length: float) -> None:
    robot, limb = chosen
    link = find_link(model_of(robot), limb)
    restored = LinkShift(body=limb, start=tuple(link.start), end=tuple(link.end), radius=link.radius)
    model = model_of(robot, restored)
    snapped = {"geom_quat", "geom_aabb", "body_iquat", "bvh_aabb", "geom_sameframe", "body_sameframe", "body_simple"}
    snapped |= {"body_inertia", "bvh_nodeid"}  # the same shape may turn about its own axis
    if all(
        np.linalg.norm(anchor - end) > link.radius or np.linalg.norm(anchor - end) < 1e-9
        for anchor in child_anchors(model_of(robot), link).values()
        for end in (link.start, link.end)
    ):
        assert differing_fields(model_of(robot), model) <= snapped


@given(length=factors)
def test_mass_follows_the_shape_at_the_same_density(length: float) -> None:
    nominal, model = model_of("Hopper"), model_of("Hopper", LimbShift(bodies=("leg",), length=length))
    radius, half = nominal.geom("leg_geom").size[:2]

    def volume(half: float) -> float:
        return np.pi * radius**2 * (2 * half + 4 / 3 * radius)

    density = nominal.body("leg").mass[0] / volume(half)
    assert model.body("leg").mass[0] == pytest.approx(density * volume(length * half))
    assert np.allclose(np.delete(model.body_mass, 3), np.delete(nominal.body_mass, 3))


def test_half_cheetahs_total_mass_stays_as_its_file_says() -> None:
    assert model_of("HalfCheetah", LimbShift(bodies=("bthigh",), length=2.0)).body_mass.sum() == pytest.approx(14.0)


def test_several_shifts_of_the_shape_go_together_in_any_order() -> None:
    shifts = (LimbShift(bodies=("thigh",), length=1.3), LimbShift(bodies=("foot",), length=0.7, radius=0.8))
    assert differing_fields(model_of("Hopper", *shifts), model_of("Hopper", *reversed(shifts))) == set()


def test_a_longer_leg_lifts_start_and_termination_height_in_proportion() -> None:
    leg = {"kind": "limb", "bodies": ["leg"], "length": 1.5}
    env = gym.make("TransReward/Hopper-v0", shift=leg).unwrapped
    assert start_height(env.model) == pytest.approx(1.25 + 0.25)
    assert env.init_qpos[1] == pytest.approx(1.5)
    assert env._healthy_z_range == pytest.approx((0.7 * 1.5 / 1.25, np.inf))
    assert gym.make("TransReward/Hopper-v0").unwrapped._healthy_z_range == (0.7, np.inf)


def test_geometry_is_compiled_once_for_many_domains() -> None:
    path, shifts = expand_model_path("hopper.xml"), parse_shifts({"kind": "limb", "bodies": ["leg"], "length": 1.25})
    assert load_base_model(path, shifts) is load_base_model(path, shifts)


def test_a_wall_stops_the_robot() -> None:
    def farthest(**kwargs: object) -> float:
        env = gym.make("TransReward/HalfCheetah-v0", **kwargs)
        env.reset(seed=0)
        env.unwrapped.set_state(env.unwrapped.data.qpos, np.array([20.0] + [0.0] * 8))
        return max(float(env.step(np.zeros(6, dtype=np.float32))[4]["x_position"]) for _ in range(40))

    free, stopped = farthest(), farthest(shift={"kind": "obstacle", "x": 2.0, "thickness": 0.2})
    assert free > 2.5
    assert stopped < 2.0


def test_a_wall_leaves_the_rest_of_the_model_alone() -> None:
    nominal, walled = model_of("Ant"), model_of("Ant", ObstacleShift(x=4.0))
    assert walled.ngeom == nominal.ngeom + 1
    assert differing_fields(nominal, walled, added=("obstacle",)) <= {
        "ngeom",
        "stat.center",
        "stat.extent",
        "stat.meansize",
    }


def test_a_limb_across_its_body_shrinks_to_its_middle() -> None:
    nominal, model = model_of("Humanoid"), model_of("Humanoid", LimbShift(bodies=("torso",), length=0.5))
    assert np.allclose(model.geom("head").pos, nominal.geom("head").pos)
    assert np.allclose(model.body("lwaist").pos, nominal.body("lwaist").pos)
    assert model.body("right_upper_arm").pos[1] == pytest.approx(-model.body("left_upper_arm").pos[1])


def test_poles_too_short_for_an_episode_are_refused() -> None:
    with pytest.raises(ValueError, match="must stand above 1.0 m, where an episode ends"):
        gym.make("TransReward/InvertedDoublePendulum-v0", shift={"kind": "limb", "bodies": ["pole2"], "length": 0.5})


@pytest.mark.parametrize("robot", ["Hopper", "HalfCheetah", "Ant"])
def test_a_wall_before_a_limb_does_not_change_which_part_the_limb_shift_means(robot: str) -> None:
    wall, limb = ObstacleShift(x=-3.0), LimbShift(bodies=LIMBS[robot][:1], length=0.7)
    assert not differing_fields(model_of(robot, wall, limb), model_of(robot, limb, wall))
    alone, both = model_of(robot, limb), model_of(robot, wall, limb)
    assert np.array_equal(both.geom_size[both.geom_bodyid > 0], alone.geom_size[alone.geom_bodyid > 0])
