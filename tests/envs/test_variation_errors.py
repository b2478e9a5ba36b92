"""Bad ranges, schedules and changes say what is wrong."""

import gymnasium as gym
import pytest

from transreward_envs.variation import Constant, Cyclic, LogUniform, RandomWalk, StepChange, Uniform

MASS = {"kind": "mass", "scale": [0.5, 2.0]}


def make(**kwargs: object) -> gym.Env:
    return gym.make("TransReward/Hopper-v0", **kwargs)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        (
            {"shift_range": {"kind": "mass", "scale": [-1.0, 2.0]}},
            ValueError,
            "`scale` must be finite and > 0; got -1.0",
        ),
        ({"shift_range": {"kind": "mass", "scale": [2.0, 1.0]}}, ValueError, "lower and a higher end; got"),
        ({"shift_range": {"kind": "mass", "scale": [1.0, 2.0, 3.0]}}, ValueError, "is given as"),
        ({"shift_range": {"kind": "mass", "scale": 2.0}}, ValueError, "must vary in a number"),
        (
            {"shift_range": {"kind": "mas", "scale": [1.0, 2.0]}},
            ValueError,
            "Unknown shift kind 'mas'. Did you mean 'mass'",
        ),
        ({"shift_range": 3}, TypeError, "`shift_range` is a list of shifts"),
        ({"shift_range": [3]}, TypeError, "`shift_range` is a list of shifts"),
        (
            {"shift_range": {"kind": "mass", "scale": {"law": "cyclic"}}},
            ValueError,
            "Unknown law of `shift_range` 'cyclic'",
        ),
        ({"shift_schedule": {"kind": "mass", "scale": [1.0, 2.0]}}, ValueError, "is given as"),
        (
            {"shift_schedule": {"kind": "mass", "scale": {"law": "cyclic", "low": 1, "high": 2}}},
            TypeError,
            "needs `period`",
        ),
        (
            {"shift_schedule": {"kind": "mass", "scale": {"law": "step_change", "levels": [], "episodes": []}}},
            ValueError,
            "A schedule needs steps; `levels` is empty",
        ),
        (
            {"shift_schedule": {"kind": "mass", "scale": {"law": "constant", "levl": 2.0}}},
            ValueError,
            "Unknown setting of the law constant 'levl'. Did you mean 'level'",
        ),
        ({"observe_shift": True}, ValueError, "`observe_shift` needs shifts that vary"),
        ({"shift_range": {"kind": "obstacle", "x": [1.0, 2.0]}}, ValueError, "must keep the size of the model"),
        ({"shift": {"kind": "mass", "scale": 2.0}, "shift_range": MASS}, ValueError, "must not write the same field"),
        ({"shift_range": {"kind": ["mass"]}}, ValueError, "Unknown shift kind"),
        ({"shift_range": {"kind": "mass", "scal": [0.5, 2.0]}}, ValueError, "Did you mean 'scale'"),
        ({"shift_range": {"kind": "mass", "scale": {"law": ["a"]}}}, ValueError, "Unknown law of `shift_range`"),
        (
            {"shift_range": {"kind": "delay", "steps": [0.2, 2.7]}},
            ValueError,
            "is a whole number, and so are",
        ),
        (
            {
                "shift_range": [
                    {"kind": "mass", "scale": [0.5, 1.0]},
                    {"kind": "mass", "body": "foot", "scale": [1.0, 2.0]},
                ]
            },
            ValueError,
            "Two shifts must not write the same field",
        ),
        ({"observe_shift": "yes"}, TypeError, "`observe_shift` must be True or False"),
        ({"shift_rnge": []}, TypeError, "Unknown keyword of Hopper 'shift_rnge'. Did you mean 'shift_range'"),
        ({"shift_change": {"step": 1}}, TypeError, "`shift_change` is a list such as"),
        ({"shift_change": [{"step": 1}]}, TypeError, "`shift_change` is a list such as"),
        ({"shift_change": [{"step": 0, "shift": []}]}, ValueError, "`step` must be an integer >= 1"),
        (
            {"shift_change": [{"step": 5, "shift": []}, {"step": 5, "shift": []}]},
            ValueError,
            r"Changes come in order, each at its own step; got steps \[5, 5\]",
        ),
        (
            {"shift_change": [{"step": 5, "shift": {"kind": "limb", "bodies": ["leg"], "length": 2.0}}]},
            ValueError,
            "must leave the robot's shape",
        ),
        (
            {
                "shift_range": {"kind": "velocity", "goal": [1.0, 2.0]},
                "shift": {"kind": "direction", "heading": "backward"},
            },
            ValueError,
            "Two shifts must not write the same field",
        ),
    ],
)
def test_bad_variations_say_what_is_wrong(keywords: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**keywords)


@pytest.mark.parametrize(
    ("law", "settings", "message"),
    [
        (Uniform, {"low": 1.0, "high": float("inf")}, "`high` must be finite"),
        (LogUniform, {"low": 0.0, "high": 1.0}, "`low` must be finite and > 0"),
        (Constant, {"level": float("nan")}, "`level` must be finite"),
        (RandomWalk, {"low": 0.0, "high": 1.0, "std": 0.0}, "A random walk takes steps"),
        (RandomWalk, {"low": 0.0, "high": 1.0, "std": 0.1, "start": 2.0}, "`start` must lie within"),
        (StepChange, {"levels": (1.0, 2.0), "episodes": (0,)}, "Each level has its first episode"),
        (StepChange, {"levels": (1.0, 2.0), "episodes": (0, 0)}, "`episodes` start at 0 and grow"),
        (Cyclic, {"low": 0.0, "high": 1.0, "period": 1}, "`period` must be an integer >= 2"),
    ],
)
def test_bad_laws_say_what_is_wrong(law: type, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        law(**settings)
