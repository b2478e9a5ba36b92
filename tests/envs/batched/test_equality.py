"""Lanes step bit for bit as single domains do: every robot, every family of shifts, both ways of starting again."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.envs.batched.equality import assert_equal_to_single_domains
from tests.strategies import control_shifts, model_shifts
from transreward_envs.batched.tasks import TASKS
from transreward_envs.shifts import Shift

MODES = ("NextStep", "SameStep")
WALKING = ("Hopper", "Walker2d", "HalfCheetah", "Ant", "Humanoid")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("robot", TASKS)
def test_lanes_equal_single_domains(robot: str, mode: str) -> None:
    assert assert_equal_to_single_domains(robot, mode=mode) > 0


@pytest.mark.parametrize("robot", ["Hopper", "Ant"])
def test_lanes_that_are_started_by_hand_equal_single_domains(robot: str) -> None:
    assert assert_equal_to_single_domains(robot, mode="Disabled") > 0


CASES = {
    "delay-noise": ("Hopper", {"shift": [{"kind": "delay", "steps": 2}, {"kind": "noise", "half_width": 0.1}]}),
    "observe-actions": ("Hopper", {"shift": {"kind": "delay", "steps": 2}, "observe_actions": 2}),
    "observation-noise": ("Hopper", {"shift": {"kind": "observation_noise", "std": 0.1}}),
    "repeat": ("Hopper", {"shift": {"kind": "repeat", "times": 4}}),
    "repeat-velocity": ("HalfCheetah", {"shift": [{"kind": "repeat", "times": 3}, {"kind": "velocity", "goal": 2.0}]}),
    "backward": ("Ant", {"shift": {"kind": "direction", "heading": "backward"}}),
    "sparse": (
        "HalfCheetah",
        {"shift": {"kind": "sparse", "distance": 0.2}, "exclude_current_positions_from_observation": False},
    ),
    "obstacle": ("HalfCheetah", {"shift": {"kind": "obstacle", "x": 3.0}}),
    "wind": ("Swimmer", {"shift": {"kind": "wind", "x": -0.5}}),
    "ranges": (
        "Walker2d",
        {
            "shift_range": [
                {"kind": "mass", "scale": [0.5, 2.0]},
                {"kind": "limb", "bodies": ["leg", "leg_left"], "length": [0.8, 1.2]},
            ],
            "observe_shift": True,
        },
    ),
    "time": (
        "Hopper",
        {"shift_range": [{"kind": "timestep", "scale": [0.5, 1.0]}, {"kind": "repeat", "times": [1, 3]}]},
    ),
    "masses": ("Humanoid", {"shift_range": {"kind": "mass", "scale": [0.5, 2.0]}}),
    "schedule": (
        "HalfCheetah",
        {"shift_schedule": {"kind": "mass", "scale": {"law": "cyclic", "low": 0.5, "high": 1.5, "period": 4}}},
    ),
    "change": (
        "HalfCheetah",
        {
            "shift_change": [
                {"step": 5, "shift": {"kind": "gravity", "scale": 2.0}},
                {"step": 9, "shift": {"kind": "direction", "heading": "backward"}},
            ]
        },
    ),
    "heavy-torso": (
        "Humanoid",
        {"shift_change": [{"step": 3, "shift": {"kind": "mass", "body": "torso", "scale": 3.0}}]},
    ),
    "ant-settings": ("Ant", {"include_cfrc_ext_in_observation": False, "healthy_z_range": (0.3, 0.9)}),
    "humanoid-settings": ("Humanoid", {"include_cinert_in_observation": False, "ctrl_cost_weight": 0.5}),
    "lanes": (
        "Hopper",
        {
            "lane_shifts": [
                (),
                {"kind": "mass", "scale": 2.0},
                {"kind": "limb", "bodies": ["leg"], "length": 1.3},
                {"kind": "friction", "scale": 0.3},
            ]
        },
    ),
    "lanes-of-ants": (
        "Ant",
        {
            "lane_shifts": [
                (),
                {"kind": "mass", "scale": 2.0},
                {"kind": "limb", "bodies": ["ankle_1"], "length": 0.5},
                {"kind": "delay", "steps": 1},
            ]
        },
    ),
    "lanes-of-humanoids": (
        "Humanoid",
        {
            "lane_shifts": [
                {"kind": "repeat", "times": 2},
                (),
                {"kind": "limb", "bodies": ["right_shin"], "length": 0.8},
                {"kind": "actuator", "scale": 0.5},
            ]
        },
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_shifted_lanes_equal_shifted_domains(case: str, mode: str) -> None:
    robot, keywords = CASES[case]
    assert assert_equal_to_single_domains(robot, mode=mode, **keywords) > 0


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    assert_equal_to_single_domains("HalfCheetah", lanes=7, threads=threads, steps=60)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("robot", TASKS)
def test_lanes_equal_single_domains_for_long(robot: str, mode: str) -> None:
    assert_equal_to_single_domains(robot, mode=mode, steps=1500, limit=300, lanes=8)


@pytest.mark.slow
@given(
    robot=st.sampled_from(WALKING),
    model=st.lists(model_shifts(), min_size=2, max_size=2),
    control=control_shifts(),
    seed=st.integers(0, 10_000),
    mode=st.sampled_from(MODES),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_random_lanes_equal_random_domains(
    robot: str, model: list[Shift], control: Shift, seed: int, mode: str
) -> None:
    lanes = [(), model[0], control, [model[1], control]]
    assert_equal_to_single_domains(robot, lane_shifts=lanes, seed=seed, mode=mode, steps=60)
