"""Hands: stiff joints, short fingers."""

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from tests.envs.test_robotics import HANDS, ROBOTS, make, needs_robotics, rollout, same
from transreward_envs import Pair, get_pair
from transreward_envs.differences import differing_fields
from transreward_envs.robots import get_robot
from transreward_envs.robots import model as compiled
from transreward_envs.shifts import FingerShift

RANGES = {
    "FFJ3": (-0.436, 0.436),
    "FFJ2": (0.0, 1.571),
    "FFJ1": (0.0, 1.571),
    "FFJ0": (0.0, 1.571),
    "THJ4": (-1.047, 1.047),
    "THJ3": (0.0, 1.309),
    "THJ2": (-0.262, 0.262),
    "THJ1": (-0.524, 0.524),
    "THJ0": (-1.571, 0.0),
}
"""Of the plain hand [rad], typed from its model file."""


def models(pair: Pair) -> list[mujoco.MjModel]:
    return [pair.make(role, disable_env_checker=True).unwrapped.model for role in ("source", "target")]


@needs_robotics
@pytest.mark.parametrize("robot", ROBOTS[1:])
def test_the_plain_hand_is_gymnasium_robotics_bit_for_bit(robot: str) -> None:
    gym.register_envs(pytest.importorskip("gymnasium_robotics"))
    stock = gym.make(get_robot(robot).stock_id, disable_env_checker=True)
    assert same(rollout(stock), rollout(make(robot)))


@needs_robotics
@pytest.mark.parametrize(("level", "factor"), [("easy", 0.5), ("medium", 0.25), ("hard", 0.125)])
@pytest.mark.parametrize("robot", ROBOTS[1:])
def test_a_broken_joint_turns_by_the_factor(robot: str, level: str, factor: float) -> None:
    plain, broken = models(get_pair(f"{robot}-broken-joint-{level}"))
    assert differing_fields(plain, broken) == {"jnt_range"}
    for joint, (low, high) in RANGES.items():
        assert plain.joint(joint).range == pytest.approx((low, high))
        assert broken.joint(joint).range == pytest.approx((factor * low, factor * high))
    for joint in set(range(plain.njnt)) - {plain.joint(name).id for name in RANGES}:
        assert np.array_equal(plain.jnt_range[joint], broken.jnt_range[joint])


@needs_robotics
@pytest.mark.parametrize(("level", "factor"), [("easy", 0.5), ("medium", 0.25), ("hard", 0.125)])
@pytest.mark.parametrize("robot", ROBOTS[1:])
def test_fingers_shrink_by_the_factor_keep_their_mass_and_stay_attached(robot: str, level: str, factor: float) -> None:
    plain, short = models(get_pair(f"{robot}-shrink-finger-{level}"))
    assert differing_fields(plain, short) <= {*FingerShift.writes, *FingerShift.derives}
    assert np.array_equal(plain.body_mass, short.body_mass)
    assert np.array_equal(plain.body_inertia, short.body_inertia)
    data = [mujoco.MjData(model) for model in (plain, short)]
    for model, state in zip((plain, short), data, strict=True):
        mujoco.mj_forward(model, state)
    for finger in ("ff", "mf", "rf", "lf"):
        lengths = [
            np.linalg.norm(state.site(f"S_{finger}tip").xpos - state.body(f"{finger}knuckle").xpos) for state in data
        ]
        assert lengths == pytest.approx([0.096, 0.096 * factor])
        assert np.array_equal(*(state.body(f"{finger}knuckle").xpos for state in data))
        for phalanx, length in (("proximal", 0.045), ("middle", 0.025)):
            capsule = short.geom(f"C_{finger}{phalanx}")
            following = {"proximal": "middle", "middle": "distal"}[phalanx]
            assert short.body(f"{finger}{following}").pos == pytest.approx([0.0, 0.0, length * factor])
            assert capsule.pos[2] + capsule.size[1] == pytest.approx(length * factor)
            assert capsule.size[0] == plain.geom(f"C_{finger}{phalanx}").size[0]
            touch = [model.site(f"Tch_{finger}{phalanx}").size for model in (plain, short)]
            assert touch[1] == pytest.approx(touch[0] * [1.0, 1.0, factor])
    assert np.array_equal(*(state.site("S_thtip").xpos for state in data))


@needs_robotics
@pytest.mark.parametrize("pair", HANDS, ids=lambda pair: pair.name)
def test_the_start_of_a_target_is_no_worse_than_the_sources(pair: Pair) -> None:
    deepest = []
    for role in ("source", "target"):
        env = pair.make(role, disable_env_checker=True).unwrapped
        env.reset(seed=0)
        model, data = env.model, env.data
        assert np.array_equal(data.qpos, model.qpos0)
        low, high = model.jnt_range[model.jnt_limited == 1].T
        angles = data.qpos[model.jnt_qposadr[model.jnt_limited == 1]]
        deepest.append((min([contact.dist for contact in data.contact], default=0.0), (low > angles) | (angles > high)))
    assert deepest[1][0] >= deepest[0][0] - 1e-3
    assert not np.any(deepest[1][1] & ~deepest[0][1])


@needs_robotics
def test_a_finger_that_changes_nothing_changes_nothing_and_others_have_none() -> None:
    neutral, plain = make("AdroitPen", shift={"kind": "finger", "scale": 1.0}), make("AdroitPen")
    assert differing_fields(neutral.unwrapped.model, plain.unwrapped.model) == set()
    with pytest.raises(ValueError, match="A finger shift needs the Adroit hand; ant has no body 'ffdistal'"):
        make("Ant", shift={"kind": "finger", "scale": 0.5})
    with pytest.raises(ValueError, match="`scale` must be finite and > 0; got 0.0"):
        FingerShift(scale=0.0)


@needs_robotics
def test_a_finger_that_shrinks_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def little_finger_ten_times_too_far(shift: FingerShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        edit(shift, spec, nominal)
        spec.body("lfmiddle").pos = 10.0 * np.asarray(spec.body("lfmiddle").pos)

    edit, pair = FingerShift.edit, get_pair("AdroitPen-shrink-finger-hard")
    monkeypatch.setattr(FingerShift, "edit", little_finger_ten_times_too_far)
    compiled._compile.cache_clear()
    try:
        assert "length of lf from its knuckle" in " ".join(check.what for check in pair.verify().failures)
    finally:
        compiled._compile.cache_clear()


@needs_robotics
@pytest.mark.parametrize("robot", ROBOTS[1:])
def test_what_sees_past_actions_is_moved_as_the_plain_hand(robot: str) -> None:
    controls = []
    for keywords in ({}, {"observe_actions": 1}, {"shift": {"kind": "noise", "half_width": 1e-12}}):
        env = make(robot, **keywords)
        env.reset(seed=0)
        env.step(np.full(env.action_space.shape, 0.5, dtype=np.float32))
        controls.append(env.unwrapped.data.ctrl.copy())
    assert np.ptp(controls[0]) > 0.1
    np.testing.assert_allclose(controls[1:], [controls[0]] * 2, atol=1e-9)


@needs_robotics
def test_servos_are_not_weakened_by_their_gear() -> None:
    with pytest.raises(ValueError, match=r"needs motors; those of ADROIT-door.* are servos"):
        make("AdroitDoor", shift={"kind": "actuator", "scale": 0.5})


@needs_robotics
def test_a_change_within_an_episode_leaves_what_the_task_has_placed() -> None:
    change = [{"step": 2, "shift": {"kind": "mass", "scale": 1.5}}]
    env = make("AdroitRelocate", shift={"kind": "finger", "scale": 0.5}, shift_change=change)
    env.reset(seed=0)
    model = env.unwrapped.model
    placed, weight = model.body_pos.copy(), model.body_mass.copy()
    for _ in range(4):
        env.step(np.zeros(env.action_space.shape, dtype=np.float32))
    assert np.array_equal(model.body_pos, placed)
    np.testing.assert_allclose(model.body_mass, 1.5 * weight)
