"""Lanes as a vector environment: specs, seeds, faults, and what bad input gets."""

import json
import os
import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import NormalizeObservation, RecordEpisodeStatistics

from transreward_envs.batched import BatchedDomain
from transreward_envs.shifts import MassShift

HOPPER = "TransReward/Hopper-v0"


def lanes(robot: str = "Hopper", num_envs: int = 3, **keywords: object) -> BatchedDomain:
    return BatchedDomain(num_envs=num_envs, robot=robot, **{"threads": 1, **keywords})


def actions_of(envs: gym.vector.VectorEnv, value: float = 0.3) -> np.ndarray:
    return np.full(envs.action_space.shape, value, dtype=np.float32)


@pytest.mark.parametrize(
    "env_id",
    [
        HOPPER,
        "TransReward/Ant-mass-2.0-source-v0",
        "TransReward/Walker2d-delay-3-target-v0",
        "TransReward/Hopper-morph-foot-hard-target-v0",
        "TransReward/Reacher7-v0",
    ],
)
def test_make_vec_steps_lanes_by_default_as_the_single_id_says(env_id: str) -> None:
    envs, single = gym.make_vec(env_id, num_envs=3), gym.make(env_id)
    assert isinstance(envs.unwrapped, BatchedDomain)
    assert envs.single_observation_space == single.observation_space
    assert envs.single_action_space == single.action_space
    sync = gym.make_vec(env_id, num_envs=3, vectorization_mode="sync")
    assert np.array_equal(envs.reset(seed=1)[0], sync.reset(seed=1)[0])
    for _ in range(5):
        assert np.array_equal(envs.step(actions_of(envs))[0], sync.step(actions_of(sync))[0])
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def test_the_time_limit_of_the_id_truncates() -> None:
    envs = gym.make_vec("TransReward/Reacher-v0", num_envs=2)
    envs.reset(seed=0)
    for step in range(50):
        _, _, terminated, truncated, _ = envs.step(actions_of(envs))
        assert truncated.all() == (step == 49)
    assert not terminated.any()


def test_a_spec_makes_the_same_lanes_again() -> None:
    envs = gym.make_vec(HOPPER, num_envs=2, lane_shifts=[(), MassShift(scale=2.0)], autoreset_mode="SameStep")
    assert json.dumps(envs.spec.kwargs)
    for spec in (envs.spec, EnvSpec.from_json(envs.spec.to_json())):
        again = gym.make_vec(spec)
        assert np.array_equal(again.reset(seed=4)[0], envs.reset(seed=4)[0])
        assert np.array_equal(again.step(actions_of(again))[0], envs.step(actions_of(envs))[0])


def test_seeds_are_one_a_lane_and_repeat() -> None:
    envs = lanes()
    first = envs.reset(seed=5)[0]
    assert np.array_equal(first, envs.reset(seed=[5, 6, 7])[0])
    assert not np.array_equal(first, envs.reset()[0])
    assert len(np.unique(first[:, 0])) == 3


def test_lanes_with_other_models_are_other_worlds() -> None:
    envs = lanes(lane_shifts=[(), {"kind": "gravity", "scale": 2.0}, {"kind": "mass", "scale": 3.0}])
    envs.reset(seed=[0, 0, 0])
    for _ in range(10):
        seen = envs.step(actions_of(envs))[0]
    assert len({tuple(row) for row in seen}) == 3


def test_each_lane_ends_its_episode_at_the_heights_of_its_own_robot() -> None:
    tall = {"kind": "limb", "bodies": ["leg"], "length": 1.5}  # healthy above 0.84 m, in place of 0.7 m
    envs = lanes(lane_shifts=[(), tall, ()])
    envs.reset(seed=0)
    envs._engine.qpos[:] = 0.0
    envs._engine.qpos[:, 1] = 0.77
    envs._engine.qvel[:] = 0.0
    assert envs.step(actions_of(envs, 0.0))[2].tolist() == [False, True, False]


def test_plain_lanes_share_one_domain_and_shifted_ones_of_a_kind_too() -> None:
    heavy = {"kind": "mass", "scale": 2.0}
    envs = lanes(num_envs=6, lane_shifts=[(), heavy, (), heavy, (), {"kind": "delay", "steps": 1}])
    assert len({id(lane.domain) for lane in envs.lanes}) == 3


def test_gymnasiums_vector_wrappers_go_around_lanes() -> None:
    envs = NormalizeObservation(RecordEpisodeStatistics(gym.make_vec(HOPPER, num_envs=4)))
    envs.reset(seed=0)
    returns = []
    for _ in range(200):
        *_, infos = envs.step(envs.action_space.sample())
        if "episode" in infos:
            returns += list(infos["episode"]["r"][infos["_episode"]])
    assert len(returns) > 4


def test_observations_are_copies_unless_they_are_not() -> None:
    kept, shared = lanes(), lanes(copy=False)
    for envs, same in ((kept, False), (shared, True)):
        first = envs.reset(seed=0)[0]
        assert (envs.step(actions_of(envs))[0] is first) == same


def test_a_lane_whose_physics_blows_up_starts_again_alone_and_is_flagged() -> None:
    envs, calm = lanes("HalfCheetah"), lanes("HalfCheetah")
    envs.reset(seed=0)
    calm.reset(seed=0)
    envs._engine.qvel[1] = 1e12
    seen, _, _, truncated, infos = envs.step(actions_of(envs))
    expected = calm.step(actions_of(calm))[0]
    assert infos["physics_failed"].tolist() == [False, True, False]
    assert truncated.tolist() == [False, True, False]
    assert np.array_equal(seen[[0, 2]], expected[[0, 2]])
    seen, _, _, truncated, infos = envs.step(actions_of(envs))
    assert not infos["physics_failed"].any()
    assert np.isfinite(seen).all()
    assert np.array_equal(seen[[0, 2]], calm.step(actions_of(calm))[0][[0, 2]])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("shift", [(), {"kind": "repeat", "times": 2}], ids=["single", "repeated"])
def test_every_failure_of_a_lane_is_flagged_and_earns_nothing(mode: str, shift: object) -> None:
    envs = lanes("Hopper", autoreset_mode=mode, shift=shift)
    envs.reset(seed=0)
    for _ in range(4):
        envs._engine.qvel[1] = 1e12
        _, rewards, terminated, truncated, infos = envs.step(actions_of(envs))
        assert infos["physics_failed"][1] or infos.get("final_info", {}).get("physics_failed", [0, 0])[1]
        assert truncated[1]
        assert not terminated[1]
        assert rewards[1] == 0.0
        if mode == "NextStep":
            envs.step(actions_of(envs))


def test_lanes_that_were_never_reset_do_not_step() -> None:
    envs = lanes()
    envs.reset(options={"reset_mask": np.array([True, False, False])})
    with pytest.raises(gym.error.ResetNeeded, match=r"lanes \[1, 2\] were never reset"):
        envs.step(actions_of(envs))


def test_a_bad_seed_is_found_before_any_lane_starts() -> None:
    envs = lanes()
    envs.reset(seed=0)
    before = envs._engine.qpos.copy()
    with pytest.raises(ValueError, match="`seed` must be an integer >= 0; got -1"):
        envs.reset(seed=[1, -1, 3])
    assert np.array_equal(envs._engine.qpos, before)


def test_calls_that_change_states_and_copies_are_refused() -> None:
    envs = lanes()
    envs.reset(seed=3)
    assert envs.get_attr("np_random_seed") == (3, 4, 5)
    with pytest.raises(ValueError, match="'set_state' cannot be called on each"):
        envs.call("set_state", np.zeros(6), np.zeros(6))
    with pytest.raises(ValueError, match="'dt' cannot be set for each"):
        envs.set_attr("dt", 1.0)
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        pickle.dumps(envs)


def test_numbers_of_numpy_stand_in_specs_as_json() -> None:
    envs = gym.make_vec(HOPPER, num_envs=2, threads=np.int64(1), reset_noise_scale=np.float64(0.01))
    assert gym.make_vec(EnvSpec.from_json(envs.spec.to_json())).unwrapped.threads == 1


def test_a_target_with_a_budget_has_one_target() -> None:
    target = "TransReward/Hopper-mass-2.0-target-v0"
    gym.make_vec(target, num_envs=2, target_budget=100, threads=1).close()
    with pytest.raises(ValueError, match="give `shift` in place of `lane_shifts`"):
        gym.make_vec(target, num_envs=2, target_budget=100, lane_shifts=[(), ()])


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 3), dtype=np.float32), r"Actions must have the shape \(3, 3\); got \(2, 3\)"),
        (np.zeros((3, 3), dtype=np.int64), "Actions must be floating-point numbers; got int64"),
        (np.array([[0.0] * 3, [np.nan] * 3, [0.0] * 3]), r"Actions must be finite; got NaN or infinity in lanes \[1\]"),
    ],
)
def test_bad_actions_say_what_is_wrong(actions: np.ndarray, message: str) -> None:
    envs = lanes()
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        envs.step(actions)


def test_steps_before_a_reset_and_after_a_close_are_errors() -> None:
    envs = lanes()
    with pytest.raises(gym.error.ResetNeeded, match="before calling"):
        envs.step(actions_of(envs))
    envs.reset(seed=0)
    envs.close()
    for call in (envs.reset, lambda: envs.step(actions_of(envs))):
        with pytest.raises(gym.error.ClosedEnvironmentError, match="These lanes are closed"):
            call()
    envs.close()


def test_lanes_that_are_done_must_be_started_by_hand_where_nothing_else_does() -> None:
    envs = lanes(autoreset_mode="Disabled", max_episode_steps=1)
    envs.reset(seed=0)
    envs.step(actions_of(envs))
    with pytest.raises(gym.error.ResetNeeded, match=r"Lanes \[0, 1, 2\] are done"):
        envs.step(actions_of(envs))
    envs.reset(options={"reset_mask": np.array([True, True, True])})
    envs.step(actions_of(envs))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("robot", ["Hopper", "Ant"])
def test_lanes_that_rest_stay_as_they_are_and_the_others_notice_nothing(robot: str, mode: str) -> None:
    some, all_of_them = (lanes(robot, autoreset_mode=mode, max_episode_steps=9) for _ in range(2))
    for envs in (some, all_of_them):
        envs.reset(seed=3)
        envs.step(actions_of(envs))
    for bad in ([False, True, False], np.array([True]), np.array([0, 1, 0])):
        with pytest.raises(ValueError, match="`lanes` must be an array of 3 booleans; got"):
            some.rest(bad)
    some.rest(np.array([False, True, False]))
    last = some.step(actions_of(some))[0][1]
    all_of_them.step(actions_of(some))
    for _ in range(7 if mode == "Disabled" else 30):
        mine, theirs = some.step(actions_of(some)), all_of_them.step(actions_of(some))
        for rested, stepped in zip(mine[:4], theirs[:4], strict=True):
            assert np.array_equal(rested[[0, 2]], stepped[[0, 2]])
        assert np.array_equal(mine[0][1], last)
        assert not any(value[1] for value in mine[1:4])
    some.reset(options={"reset_mask": np.array([True, True, True])})
    assert some.step(actions_of(some))[1][1] != 0.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_clear_error() -> None:
    envs = lanes()
    envs.reset(seed=0)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            envs.step(actions_of(envs))
        except RuntimeError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"Lanes belong to the process that made them" in os.read(reading, 1000)
    envs.step(actions_of(envs))


LEFT_IN_A_FORK = """
import os, signal, sys
import numpy as np
from transreward_envs.batched import BatchedDomain

envs = BatchedDomain(num_envs=4, robot=sys.argv[1], threads=2)
envs.reset(seed=0)
actions = np.zeros(envs.action_space.shape, dtype=np.float32)
envs.step(actions)
if os.fork() == 0:
    signal.alarm(10)  # ends a child that hangs, by a signal that its parent sees
    if sys.argv[2] == "closed":
        envs.close()
    elif sys.argv[2] == "deleted":
        del envs
    sys.exit(0)
_, status = os.wait()
envs.step(actions)
envs.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("way", ["closed", "deleted", "left to the end"])
@pytest.mark.parametrize("robot", ["Hopper", "Ant"])
def test_a_forked_child_lets_lanes_go_without_waiting_for_threads_that_it_has_not(robot: str, way: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LEFT_IN_A_FORK, robot, way], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("seed", [np.int64(5), np.array([5, 6, 7]), [5, np.int32(6), 7]])
def test_seeds_of_numpy_are_seeds(seed: object) -> None:
    assert np.array_equal(lanes().reset(seed=seed)[0], lanes().reset(seed=5)[0])


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"num_envs": 0}, ValueError, "`num_envs` must be an integer >= 1"),
        ({"threads": -1}, ValueError, "`threads` must be an integer >= 0"),
        ({"robot": "Hoper"}, ValueError, "Unknown robot that steps in lanes 'Hoper'. Did you mean 'Hopper'"),
        ({"max_episode_steps": 0}, ValueError, "`max_episode_steps` must be an integer >= 1"),
        ({"lane_shifts": [()]}, ValueError, "`lane_shifts` are one entry a lane; got 1 for 3"),
        ({"shift_rnge": 1}, TypeError, "Unknown keyword of Hopper 'shift_rnge'"),
        ({"autoreset_mode": "NextSteps"}, ValueError, "Unknown autoreset mode 'NextSteps'. Did you mean 'NextStep'"),
        ({"lane_shifts": [(), (), {"kind": "obstacle", "x": 3.0}]}, ValueError, "must have models of the same sizes"),
    ],
)
def test_bad_settings_say_what_is_wrong(keywords: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lanes(**keywords)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros(3, dtype=bool), "`reset_mask` must name at least one lane"),
        (np.ones(2, dtype=bool), "`reset_mask` must be an array of 3 booleans"),
        ([True, True, True], "`reset_mask` must be an array of 3 booleans"),
    ],
)
def test_bad_masks_and_seeds_say_what_is_wrong(mask: object, message: str) -> None:
    envs = lanes()
    with pytest.raises(ValueError, match=message):
        envs.reset(options={"reset_mask": mask})
    with pytest.raises(ValueError, match="Seeds are one a lane; got 2 for 3"):
        envs.reset(seed=[1, 2])


@pytest.mark.parametrize("keywords", [{}, {"target_budget": 100}])
def test_lanes_take_gymnasiums_word_for_no_time_limit(keywords: dict) -> None:
    env_id = "TransReward/HalfCheetah-mass-2.0-target-v0"
    envs = gym.make_vec(env_id, num_envs=2, max_episode_steps=-1, threads=1, **keywords)
    envs.reset(seed=0)
    assert not any(envs.step(actions_of(envs))[3].any() for _ in range(3))
    for limit, error in ((0, ValueError), (2.5, TypeError), ("7", TypeError)):
        with pytest.raises(error, match="`max_episode_steps` must be an integer"):
            gym.make_vec(env_id, num_envs=2, max_episode_steps=limit, threads=1, **keywords)
