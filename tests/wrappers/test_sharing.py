"""Workers in several processes: one learner and one budget when asked, and a word when not."""

import sqlite3
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from stable_baselines3.common.vec_env import SubprocVecEnv

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
    "TransReward/Hopper-gravity-2.0-drae-v0": {
        "target_budget": 90,
        "target_ratio": 0.5,
        "time_limit": 10,
        "warmup": 40,
        "fit_budget": 2,
        "update_every": 8,
        "updates": 1,
        "value_updates": 1,
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
QUICK = {"TransReward/Hopper-gravity-2.0-darc-v0", "TransReward/Hopper-gravity-2.0-target-v0"}
"""Those that worker processes of Gymnasium are tried with by default; processes of SB3 are with all."""


def make(env_id: str, **kwargs: object) -> gym.Env:
    return gym.make(f"transreward_envs:{env_id}", disable_env_checker=True, **kwargs)


def sharing(env_id: str, directory: Path) -> dict:
    kwargs = dict(KINDS[env_id])
    return {**kwargs, "shared_state": str(directory)} if kwargs else {}


def shared_steps(directory: Path) -> tuple[int, int]:
    """Return the source and target steps in a shared folder, whoever it belongs to."""
    connection = sqlite3.connect(directory / "steps.sqlite")
    (steps,) = connection.execute("SELECT source, target FROM steps").fetchall()
    connection.close()
    return steps


@pytest.mark.parametrize(
    "env_id", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_async_workers_run_every_kind_of_id_and_spend_one_budget(env_id: str, tmp_path: Path) -> None:
    kwargs = sharing(env_id, tmp_path)
    in_target_alone = env_id.endswith(("target-v0", "transfer-v0"))
    steps = 20 if in_target_alone else 60
    envs = AsyncVectorEnv([partial(make, env_id, **kwargs)] * WORKERS, context="spawn")
    envs.reset(seed=0)
    envs.action_space.seed(0)
    fillers, over = 0, np.zeros(WORKERS, dtype=bool)
    for _ in range(steps):
        fillers += int(over.sum())
        _, _, terminated, truncated, _ = envs.step(envs.action_space.sample())
        over = terminated | truncated
    envs.close()
    if kwargs:
        source, target = shared_steps(tmp_path)
        assert source + target == steps * WORKERS - fillers
        assert target == (steps * WORKERS - fillers if in_target_alone else 90)


def test_workers_in_the_target_alone_never_overspend(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-target-v0"
    envs = AsyncVectorEnv([partial(make, env_id, **sharing(env_id, tmp_path))] * WORKERS, context="spawn")
    envs.reset(seed=0)
    envs.action_space.seed(0)
    with pytest.raises(UserWarning, match="Received the following error from Worker"):
        for _ in range(40):
            envs.step(envs.action_space.sample())
    with pytest.warns(UserWarning, match="Calling `close` while waiting"):
        envs.close(terminate=True)
    assert 80 < shared_steps(tmp_path)[1] <= 90


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
    assert about["added"]["learned-target"] > WORKERS
    alone = about["updates"] / WORKERS
    assert any(one["classifier_updates"] > 1.5 * alone for one in diagnostics)


def test_workers_learn_one_v_and_one_q(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-drae-v0"
    envs = [make(env_id, **sharing(env_id, tmp_path)) for _ in range(2)]
    for env in envs:
        env.reset(seed=0)
        env.action_space.seed(0)
    for _ in range(60):
        for env in envs:
            if any(env.step(env.action_space.sample())[2:4]):
                env.reset()
    learned = [env.get_wrapper_attr("compensation")._learner_of_values for env in envs]
    _, about = load_tensors(tmp_path / "drae" / "values.safetensors")
    assert about["updates"] == learned[1].updates > 12
    assert about["added"] == learned[1]._store.added > 100
    for env in envs:
        env.close()


def test_a_folder_of_another_run_is_refused_before_its_files_are_touched(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-darc-v0"
    kwargs = sharing(env_id, tmp_path)
    make(env_id, **kwargs).reset(seed=0)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.f32")}
    with pytest.raises(ValueError, match="A `shared_state` folder belongs to one run"):
        make(env_id.replace("Hopper-gravity-2.0", "HalfCheetah-gravity-2.0"), **kwargs)
    with pytest.raises(ValueError, match="belongs to one run; .* with a target budget of 90, not"):
        make(env_id, **{**kwargs, "target_budget": 80})
    for changed in ({"hidden": 16}, {"eta": 0.2}, {"seed": 7}):
        with pytest.raises(ValueError, match="A `shared_state` folder belongs to one run"):
            make(env_id, **{**kwargs, **changed}).reset(seed=0)
    assert files == {path: path.read_bytes() for path in tmp_path.rglob("*.f32")}
    (tmp_path / "steps.sqlite").write_bytes(b"nonsense" * 200)
    with pytest.raises(ValueError, match="is no ledger of steps"):
        make(env_id, **kwargs)


def test_a_shared_learner_is_saved_and_brought_back_with_its_transitions(tmp_path: Path) -> None:
    env_id = "TransReward/Hopper-gravity-2.0-darc-v0"
    env = make(env_id, **sharing(env_id, tmp_path / "first"))
    env.reset(seed=0)
    for _ in range(100):
        if any(env.step(env.action_space.sample())[2:4]):
            env.reset()
    env.get_wrapper_attr("save_state")(str(tmp_path / "state"))
    learnt = env.get_wrapper_attr("diagnostics")
    for kwargs in (sharing(env_id, tmp_path / "second"), KINDS[env_id]):
        other = make(env_id, **kwargs)
        other.get_wrapper_attr("load_state")(str(tmp_path / "state"))
        assert {**learnt, **other.get_wrapper_attr("diagnostics")} == learnt  # but for what was paid lately
        rows = other.get_wrapper_attr("compensation").learner.memory.sample(100, torch.Generator(), batches=1)
        assert np.abs(rows).sum(axis=-1).min() > 0.0


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
    env.warnings_seen = sum("has a target budget, and a learner, of its own" in str(one.message) for one in caught)
    return env
