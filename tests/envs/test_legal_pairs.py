"""Legal pairs of many kinds verify: the proof raises no false alarm."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import control_shifts, model_shifts
from transreward_envs import make_pair
from transreward_envs.shifts import Shift

HALVES = [{"kind": "limb", "bodies": [one], "length": 0.8} for one in ("leg", "thigh")]
WALL = {"kind": "obstacle", "x": 4.0}


@pytest.mark.parametrize(
    ("robot", "target", "source"),
    [
        ("Hopper", [{"kind": "delay", "steps": 2}, {"kind": "noise", "half_width": 0.1}], ()),
        ("Hopper", [{"kind": "delay", "steps": 3}, {"kind": "observation_noise", "std": 0.1}], ()),
        ("Hopper", [{"kind": "noise", "half_width": 0.1 * one, "dimension": one} for one in (1, 2)], ()),
        ("HalfCheetah", [{"kind": "repeat", "times": 3}, {"kind": "velocity", "goal": 2.0}], ()),
        ("HalfCheetah", (), WALL),
        ("HalfCheetah", WALL, {"kind": "obstacle", "x": 5.0}),
        (
            "HalfCheetah",
            [WALL, {"kind": "mass", "scale": 2.0}],
            WALL,
        ),
        ("Humanoid", {"kind": "obstacle", "x": -3.0}, ()),
        ("Walker2d", {"kind": "obstacle", "x": 3.0, "height": 0.3, "thickness": 1.0}, ()),
        ("Swimmer", {"kind": "wind", "density": 2000.0}, ()),
        ("Hopper", {"kind": "wind", "density": 3.0}, ()),
        ("InvertedDoublePendulum", {"kind": "gravity", "scale": 7.0}, ()),
        ("InvertedDoublePendulum", {"kind": "repeat", "times": 10}, ()),
        ("Humanoid", {"kind": "limb", "bodies": ["torso", "lwaist"], "length": 0.9}, ()),
        ("Pusher", {"kind": "limb", "bodies": ["r_upper_arm_link"], "length": 0.8}, ()),
        ("Hopper", HALVES, ()),
        (
            "Ant",
            [{"kind": "mass", "scale": 7.0}, {"kind": "limb", "bodies": ["ankle_1"], "length": 1.3}],
            {"kind": "gravity", "scale": 0.3},
        ),
    ],
)
def test_legal_pairs_of_many_kinds_are_what_they_say(robot: str, target, source) -> None:
    assert make_pair(robot, target, source=source).verify().passed


@pytest.mark.slow
@given(
    model=model_shifts(), control=control_shifts(), robot=st.sampled_from(("Hopper", "Walker2d", "HalfCheetah", "Ant"))
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_random_legal_pairs_are_what_they_say(model: Shift, control: Shift, robot: str) -> None:
    pair = make_pair(robot, [model, control], validate=False)
    assert pair.verify().require().passed
