"""Pairs: each target differs from its source in the named fields, and in nothing else."""

import json

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import shifts
from transreward_envs import PAIRS, Pair, get_pair, make_pair, register_pair
from transreward_envs.differences import declared_fields, differing_fields, pair_differences
from transreward_envs.shifts import ControlShift, GravityShift, MassShift, Shift

MASS = {"body_mass", "body_inertia", "actuator_acc0", "body_invweight0", "body_subtreemass", "dof_M0"}
MASS |= {"dof_invweight0", "stat.meaninertia", "stat.meanmass"}
CONTROL = {"action delay", "action repeat", "action noise", "time limit"}
FIELDS = {
    "mass": MASS,
    "friction": {"geom_friction"},
    "gravity": {"opt.gravity"},
    "damping": {"dof_damping"},
    "actuator": {"actuator_gear", "actuator_acc0"},
    "broken": {"actuator_gear", "actuator_acc0"},
    "joint_range": {"jnt_range"},
    "noise": {"action noise"},
    "delay": {"action delay"},
    "repeat": {"action repeat", "time limit"},
}
"""What each kind of shift changes, written down apart from the shifts themselves."""

LOCOMOTION = ("Hopper", "Walker2d", "HalfCheetah", "Ant")


@pytest.mark.parametrize("pair", PAIRS.values(), ids=list(PAIRS))
def test_the_compiled_models_differ_in_exactly_the_fields_that_are_shown(pair: Pair) -> None:
    models = [pair.make(role).unwrapped.model for role in ("source", "target")]
    differing = differing_fields(*models)
    shown = pair_differences(pair)
    expected = set().union(*(FIELDS[shift.kind] for shift in (*pair.source, *pair.target)))
    assert differing == {name for name in expected if name not in CONTROL}
    assert {row.field for row in shown} == expected
    written, derived = declared_fields(pair)
    assert differing <= written | derived
    assert all(row.source != row.target for row in shown)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS.values() if pair.target], ids=lambda pair: pair.name)
def test_the_start_of_the_target_is_that_of_the_source(pair: Pair) -> None:
    source, target = (pair.make(role) for role in ("source", "target"))
    assert (source.reset(seed=0)[0] == target.reset(seed=0)[0]).all()
    model, rest = target.unwrapped.model, source.unwrapped.model.qpos0
    for joint in range(model.njnt):
        if model.jnt_limited[joint]:
            position = rest[model.jnt_qposadr[joint]]
            low, high = model.jnt_range[joint]
            old_low, old_high = source.unwrapped.model.jnt_range[joint]
            assert low <= position <= high or not old_low <= position <= old_high


@pytest.mark.parametrize("robot", LOCOMOTION)
@pytest.mark.parametrize("kind", ["friction", "gravity", "mass", "actuator"])
def test_every_locomotion_robot_has_two_levels_of_each_shift(robot: str, kind: str) -> None:
    levels = [name for name in PAIRS if name.startswith(f"{robot}-{kind}-")]
    assert len(levels) >= 2


@given(target=st.lists(shifts, min_size=1, max_size=3), source=st.lists(shifts, max_size=1))
def test_a_pair_survives_json(target: list[Shift], source: list[Shift]) -> None:
    if source == target:
        return
    pair = make_pair("Walker2d", target, source=source, validate=False)
    assert Pair.from_json(json.loads(json.dumps(pair.to_json()))) == pair


def test_a_pair_with_repeats_lasts_the_same_simulated_time_in_both_domains() -> None:
    pair = get_pair("Hopper-repeat-4to2")
    assert (pair.max_episode_steps("source"), pair.max_episode_steps("target")) == (250, 500)
    assert pair.make("source").spec.max_episode_steps == 250


def test_any_level_can_be_made() -> None:
    pair = make_pair("Ant", {"kind": "friction", "scale": 1.25})
    assert pair.name == "Ant-friction-1.25"
    target = pair.make("target")
    target.reset(seed=0)
    assert target.unwrapped.shifts[0].scale == 1.25


def test_the_delay_of_a_pair_is_observed_unless_it_is_hidden() -> None:
    delay = {"kind": "delay", "steps": 2}
    assert not make_pair("Hopper", delay).hides_actions
    assert make_pair("Hopper", delay, observe_actions=1).hides_actions


@pytest.mark.parametrize(
    ("source", "target"),
    [((), ()), ((), (MassShift(scale=1.0),)), ((MassShift(scale=2.0),), (MassShift(scale=2.0),))],
)
def test_a_pair_of_equal_domains_is_an_error(source: tuple[Shift, ...], target: tuple[Shift, ...]) -> None:
    with pytest.raises(ValueError, match="A pair's domains must differ"):
        make_pair("Hopper", target, source=source)


def test_a_shift_that_changes_nothing_is_found_when_the_pair_is_made() -> None:
    with pytest.raises(ValueError, match="needs a robot with contacts"):
        make_pair("InvertedPendulum", {"kind": "friction", "scale": 2.0})


def test_unknown_pairs_and_roles_get_a_suggestion() -> None:
    with pytest.raises(ValueError, match="Unknown pair 'Hopper-gravty-2.0'. Did you mean 'Hopper-gravity-2.0'"):
        get_pair("Hopper-gravty-2.0")
    with pytest.raises(ValueError, match="Unknown role 'sourc'. Did you mean 'source'"):
        get_pair("Hopper-gravity-2.0").shifts("sourc")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((), [{"kind": "mass", "scale": 2.0}, {"kind": "mass", "scale": 0.5}]),
        ({"kind": "gravity", "scale": 1.0 + 1e-13}, ()),
        ({"kind": "noise", "half_width": 0.1, "dimension": 2}, {"kind": "noise", "half_width": 0.1, "dimension": -1}),
    ],
)
def test_a_pair_that_compiles_to_the_same_is_found_when_it_is_made(source, target) -> None:
    with pytest.raises(ValueError, match="compile to the same"):
        make_pair("Hopper", target, source=source)


def test_noise_in_one_dimension_is_shown_as_such() -> None:
    noise = [{"kind": "noise", "half_width": 0.1, "dimension": dimension} for dimension in (0, 1)]
    (row,) = pair_differences(make_pair("Hopper", noise[1], source=noise[0]))
    assert (row.source, row.target) == ("U(+-[0.1, 0, 0])", "U(+-[0, 0.1, 0])")


def test_delays_on_both_sides_are_observed_up_to_the_longer() -> None:
    delays = [{"kind": "delay", "steps": steps} for steps in (1, 3)]
    assert make_pair("Hopper", delays[1], source=delays[0]).observe_actions == 3


def test_a_pair_of_ones_own_is_registered_under_its_own_name() -> None:
    pair = make_pair("Hopper", {"kind": "gravity", "scale": 3.0})
    try:
        register_pair(pair)
        env = gym.make("TransReward/Hopper-gravity-3.0-target-v0")
        assert env.unwrapped.model.opt.gravity[2] == pytest.approx(-29.43)
        assert gym.make("TransReward/Hopper-gravity-3.0-mixture-v0").spec.kwargs["pair"] == pair.to_json()
        register_pair(pair)
        with pytest.raises(ValueError, match="'Hopper-gravity-2.0' is taken by another pair"):
            register_pair(make_pair("Hopper", {"kind": "gravity", "scale": 3.0}, name="Hopper-gravity-2.0"))
    finally:
        PAIRS.pop(pair.name)
        for env_id in [env_id for env_id in gym.registry if pair.name in env_id]:
            del gym.registry[env_id]


@pytest.mark.parametrize("data", [3, {"robot": "Hopper"}])
def test_what_describes_no_pair_is_an_error(data) -> None:
    with pytest.raises(TypeError, match="A pair is given by its name or by"):
        gym.make("TransReward/Hopper-gravity-2.0-mixture-v0", pair=data)


def test_control_shifts_have_no_fields_and_are_shown_all_the_same() -> None:
    rows = pair_differences(get_pair("Walker2d-delay-3"))
    assert [(row.field, row.source, row.target, row.unit) for row in rows] == [("action delay", "0", "3", "steps")]
    assert all(not isinstance(shift, ControlShift) for shift in (GravityShift(scale=2.0),))
