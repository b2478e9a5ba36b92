"""Workers in several processes: one learner and one budget when asked, and a word when not."""

from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from stable_baselines3.common.vec_env import SubprocVecEnv

from transreward_envs.training.ledger import SharedLedger
from transreward_wrappers.storage import load_tensors

WORKERS = 4
KINDS = {
    "TransReward/Hopper-v0": {},
    "TransReward/Hopper-gravity-2.0-source-v0": {},
    "TransReward/Hopper-gravity-2.0-target-v0": {"target_budget": 90},
    "TransReward/Hopper-gravity-2.0-mixture-v0": {"target_budget": 90, "target_ratio": 0.5, "time_limit": 10},
    "TransReward/Hopper-gravity-2.0-darc-v0": {
        "target_budget": 90,
        "target_ratio": 0.5,
        "time_limit": 10,
        "warmup": 40,
        "fit_budget": 2,
        "update_every": 8,
        "updates": 1,
        "batch_size": 8,
        "hidden": 8,
    },
    "TransReward/Hopper-gravity-2.0-reward-transfer-v0": {
        "target_budget": 90,
        "time_limit": 10,
        "fit_budget": 40,
        "fit_updates": 2,
        "hidden": 8,
    },
}


def make(env_id: str, **kwargs: object) -> gym.Env:
    return gym.make(f"transreward_envs:{env_id}", disable_env_checker=True, **kwargs)


def sharing(env_id: str, directory: Path) -> dict:
    kwargs = dict(KINDS[env_id])
    return {**kwargs, "shared_state": str(directory)} if kwargs else {}


def target_steps(directory: Path) -> int:
    return SharedLedger(None, directory).target_steps


@pytest.mark.parametrize("env_id", KINDS)
def test_async_workers_run_every_kind_of_id_and_spend_one_budget(env_id: str, tmp_path: Path) -> None:
    kwargs = sharing(env_id, tmp_path)
    steps = 20 if env_id.endswith(("target-v0", "transfer-v0")) else 60
    envs = AsyncVectorEnv([partial(make, env_id, **kwargs)] * WORKERS, context="spawn")
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(steps):
        envs.step(envs.action_space.sample())
    envs.close()
    if kwargs:
        spent = target_steps(tmp_path)
        assert spent == 90 if steps == 60 else 0 < spent <= 90


@pytest.mark.parametrize("env_id", KINDS)
def test_subproc_workers_run_every_kind_of_id(env_id: str, tmp_path: Path) -> None:
    envs = SubprocVecEnv([partial(make, env_id, **sharing(env_id, tmp_path))] * 2, start_method="spawn")
    envs.reset()
    for _ in range(20):
        envs.step(np.stack([envs.action_space.sample() for _ in range(2)]))
    envs.close()


def test_four_workers_learn_one_classifier(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-darc-v0"
    envs = AsyncVectorEnv([partial(make, env_id, **sharing(env_id, tmp_path))] * WORKERS, context="spawn")
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(80):
        envs.step(envs.action_space.sample())
    diagnostics = envs.call("diagnostics")
    envs.close()
    _, about = load_tensors(tmp_path / "darc" / "learner.safetensors")
    assert about["warm"]
    assert about["steps"] > 0.8 * WORKERS * 80 * 10 / 11
    assert about["added"][1] > WORKERS
    alone = about["updates"] / WORKERS
    assert any(one["classifier_updates"] > 1.5 * alone for one in diagnostics)


def test_a_worker_that_learns_alone_says_so_once(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-darc-v0"
    envs = AsyncVectorEnv(
        [partial(_make_twice_and_count_warnings, env_id)], context="spawn", autoreset_mode=AutoresetMode.NEXT_STEP
    )
    assert envs.call("warnings_seen") == (1,)
    envs.close()


def _make_twice_and_count_warnings(env_id: str) -> gym.Env:
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(env_id, **KINDS[env_id])
        env = make(env_id, **KINDS[env_id])
    env.warnings_seen = sum("learner and a target budget of its own" in str(one.message) for one in caught)
    return env
