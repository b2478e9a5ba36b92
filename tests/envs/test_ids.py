"""Ids: every one passes the checkers, and survives specs, JSON and copies."""

import copy
import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from transreward_envs import PAIRS, ROBOTS
from transreward_envs.methods import training_methods

TINY = {
    "reward-transfer": {"fit_budget": 40, "fit_updates": 2, "hidden": 8, "horizon": 10},
    "darc": {"warmup": 2, "fit_budget": 2, "update_every": 1, "updates": 1, "batch_size": 2, "hidden": 8},
    "dtw": {
        "references": "search",
        "reference_steps": 60,
        "fit_budget": 200,
        "segments": 1,
        "horizon": 2,
        "candidates": 4,
        "iterations": 1,
        "model_updates": 1,
        "fit_updates": 2,
        "hidden": 8,
        "refit_every": 25,
    },
}
"""The real code, with next to nothing to fit."""

DOMAIN_IDS = [f"TransReward/{robot}-v0" for robot in ROBOTS]
DOMAIN_IDS += [pair.id(role) for pair in PAIRS.values() for role in ("source", "target")]
ONE_OF_EACH = {
    (pair.robot, pair.source_robot, *(shift.kind for shift in (*pair.source, *pair.target))): pair
    for pair in PAIRS.values()
}
TRAINING_IDS = [(pair.id(name), name) for pair in ONE_OF_EACH.values() for name in training_methods(pair)]
QUICK = {pair.id("mixture") for pair in ONE_OF_EACH.values()} | {
    pair.id(name)
    for pair in {(pair.robot, pair.source_robot): pair for pair in ONE_OF_EACH.values()}.values()
    for name in training_methods(pair)
}
"""The mixture of a pair of each kind, and every method of a pair of each robot."""

TRAINING = [env_id if env_id in QUICK else pytest.param(env_id, marks=pytest.mark.slow) for env_id, _ in TRAINING_IDS]
SAMPLE = [
    "TransReward/Hopper-v0",
    "TransReward/Ant-friction-2.0-source-v0",
    "TransReward/Walker2d-delay-3-target-v0",
    "TransReward/HalfCheetah-broken-bthigh-mixture-v0",
    "TransReward/Hopper-repeat-4to2-reward-transfer-v0",
    "TransReward/InvertedPendulum-gravity-2.0-darc-v0",
    "TransReward/Hopper-mass-2.0-dtw-v0",
    "TransReward/Ant-morph-alllegs-hard-target-v0",
    "TransReward/Humanoid-obsnoise-0.05-target-v0",
    "TransReward/HalfCheetah-obstacle-mixture-v0",
    "TransReward/Walker2d-from-Hopper-target-v0",
    "TransReward/Walker2d-from-Hopper-reward-transfer-v0",
    "TransReward/Reacher7-broken-shoulder_pan-source-v0",
]

pytestmark = [
    pytest.mark.filterwarnings("ignore:The world model"),  # which is next to nothing
    pytest.mark.filterwarnings("ignore:.*We recommend you to use a symmetric and normalized.*"),
    pytest.mark.filterwarnings("ignore:.*Box observation space (min|max)imum value is.*"),
    pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version.*"),
    pytest.mark.filterwarnings("ignore:.*Box action space.*"),
    pytest.mark.filterwarnings("ignore:.*For Box action spaces, we recommend.*"),
    pytest.mark.filterwarnings("ignore:.*A Box observation space.*"),
]


def method_of(env_id: str) -> str:
    return next((method for method in TINY if env_id.endswith(f"-{method}-v0")), "")


def make(env_id: str, **kwargs: object) -> gym.Env:
    return gym.make(env_id, **TINY.get(method_of(env_id), {}), **kwargs)


def walk(env: gym.Env, *, steps: int = 30, seed: int = 3) -> np.ndarray:
    """Return what a few random steps give, rewards beside observations."""
    env.action_space.seed(seed)
    rows = [np.append(env.reset(seed=seed)[0], 0.0)]
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        rows.append(np.append(observation, reward))
        if terminated or truncated:
            rows.append(np.append(env.reset()[0], 0.0))
    return np.array(rows)


@pytest.mark.parametrize("env_id", [*DOMAIN_IDS, *TRAINING])
def test_an_id_passes_both_checkers(env_id: str) -> None:
    env = make(env_id, disable_env_checker=True)
    check_env(env, skip_render_check=True, skip_close_check=True)
    sb3_check_env(env, warn=True, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("env_id", SAMPLE)
def test_specs_and_json_make_the_same_environment_again(env_id: str) -> None:
    env = make(env_id)
    again, through_json = gym.make(env.spec), gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == through_json.spec == env.spec
    expected = walk(env)
    assert np.array_equal(walk(again), expected)
    assert np.array_equal(walk(through_json), expected)


@pytest.mark.parametrize("env_id", SAMPLE)
def test_pickle_and_deepcopy_keep_shift_and_compensation(env_id: str) -> None:
    env = make(env_id)
    copies = [pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
    expected = walk(env)
    for other in copies:
        assert np.array_equal(walk(other), expected)


def test_a_copy_keeps_what_was_learnt() -> None:
    env = make("TransReward/HalfCheetah-broken-bthigh-darc-v0", time_limit=20, target_ratio=0.5)
    walk(env, steps=200)
    learnt = env.get_wrapper_attr("diagnostics")
    assert learnt["classifier_updates"] > 2
    for other in (pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert other.get_wrapper_attr("diagnostics") == learnt
        assert other.get_wrapper_attr("steps")() == env.get_wrapper_attr("steps")()
        walk(other)


@pytest.mark.parametrize("env_id", SAMPLE)
def test_there_is_one_time_limit_in_every_stack(env_id: str) -> None:
    env = make(env_id)
    for made in (env, gym.make(env.spec), gym.make(EnvSpec.from_json(env.spec.to_json()))):
        layer, limits = made, 0
        while isinstance(layer, gym.Wrapper):
            limits += isinstance(layer, TimeLimit)
            layer = layer.env
        assert limits == 1


def test_compensation_sees_truncation_and_the_real_last_observation() -> None:
    env = make("TransReward/HalfCheetah-gravity-2.0-darc-v0", time_limit=5)
    seen = []
    compensation = env.get_wrapper_attr("compensation")
    update = compensation.update
    compensation.update = lambda batch: (seen.append(batch), update(batch))
    env.reset(seed=0)
    for _ in range(5):
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
    assert truncated
    assert not terminated
    assert np.array_equal(seen[-1].next_observation[0], observation)
    assert not seen[-1].terminated[0]
    assert info["episode_env"]["l"] == info["episode_compensated"]["l"] == 5


@pytest.mark.parametrize("env_id", SAMPLE)
def test_info_has_the_same_keys_at_reset_and_step(env_id: str) -> None:
    env = make(env_id)
    _, at_reset = env.reset(seed=0)
    assert set(at_reset) == set(env.step(env.action_space.sample())[4])


def run_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_an_id_is_made_with_nothing_imported_before() -> None:
    code = (
        "import gymnasium as gym\n"
        "env = gym.make('transreward_envs:TransReward/Hopper-gravity-2.0-darc-v0')\n"
        "print(env.reset(seed=0)[1]['domain'])"
    )
    assert run_python(code).strip() == "0"


def test_importing_is_quick_and_loads_neither_torch_nor_mujoco() -> None:
    code = (
        "import sys, time, transreward_envs\n"
        "print('torch' in sys.modules, 'mujoco' in sys.modules, time.process_time())"
    )
    seconds = []
    for _ in range(3):
        *loaded, spent = run_python(code).split()
        assert loaded == ["False", "False"]
        seconds.append(float(spent))  # of the processor: others may keep it busy
    assert min(seconds) < 3.0


def test_domains_never_import_torch() -> None:
    code = (
        "import sys, gymnasium as gym, transreward_envs\n"
        "for name in ('source', 'target', 'mixture'):\n"
        "    gym.make(f'TransReward/Hopper-mass-2.0-{name}-v0').reset()\n"
        "print('torch' in sys.modules)"
    )
    assert run_python(code).strip() == "False"


def test_an_unknown_id_gets_a_suggestion() -> None:
    with pytest.raises(gym.error.NameNotFound, match="Did you mean: `Hopper-gravity-2.0-source`"):
        gym.make("TransReward/Hopper-gravty-2.0-source-v0")


def test_an_unknown_keyword_is_an_error() -> None:
    with pytest.raises(ValueError, match="Unknown setting of DARC 'etta'. Did you mean 'eta'"):
        gym.make("TransReward/Hopper-gravity-2.0-darc-v0", etta=0.1)


def test_a_training_id_takes_pairs_that_are_not_registered() -> None:
    from transreward_envs import make_pair

    pair = make_pair("Hopper", {"kind": "gravity", "scale": 1.5})
    env = make("TransReward/Hopper-gravity-2.0-darc-v0", pair=pair.to_json())
    walk(env)
    assert env.get_wrapper_attr("pair").name == "Hopper-gravity-1.5"
    with pytest.raises(ValueError, match="`shift` alone is ambiguous"):
        gym.make("TransReward/Hopper-gravity-2.0-mixture-v0", shift={"kind": "gravity", "scale": 1.5})
