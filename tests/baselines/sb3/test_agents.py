"""Agents of Stable-Baselines3: how long their rollouts are, and whose settings they have."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from tests.baselines.test_train import config
from transreward_baselines.checkpoint import load_policy
from transreward_baselines.run_directory import RunDirectoryError
from transreward_baselines.sb3 import settings
from transreward_baselines.sb3.agents import make_agent, make_training_env, rollout_steps, training_keywords
from transreward_baselines.sb3.settings import agent_settings, as_json
from transreward_baselines.train import train


@pytest.mark.parametrize(("method", "budget"), [("target", 30_000), ("reward-transfer", 100_000), ("dtw", 700)])
def test_ppo_learns_from_nearly_all_steps_of_its_budget_in_the_target(method: str, budget: int) -> None:
    run = config(method, steps=budget, target_budget=budget, n_envs=8)
    rollout = 8 * rollout_steps(run)
    assert budget % rollout < 0.01 * budget
    assert rollout == 700 // 8 * 8 if budget == 700 else 1_900 < rollout < 2_200


def test_ppo_has_its_usual_rollouts_where_no_budget_ends_it() -> None:
    runs = [config("target", n_envs=8), config("mixture", target_budget=3_000, n_envs=8), config("source", n_envs=8)]
    assert [rollout_steps(run) for run in runs] == [256, 256, 256]


def test_hopper_and_halfcheetah_have_settings_that_were_found_for_them() -> None:
    runs = {robot: config("target", pair=f"{robot}-mass-2.0") for robot in ("Hopper", "HalfCheetah")}
    agents = {robot: make_agent(run, make_training_env(run)) for robot, run in runs.items()}
    assert [agents[robot].gamma for robot in runs] == [agents[robot].env.gamma for robot in runs] == [0.99, 0.98]
    assert isinstance(agents["Hopper"].policy.mlp_extractor.policy_net[1], nn.Tanh)
    assert isinstance(agents["HalfCheetah"].policy.mlp_extractor.policy_net[1], nn.ReLU)
    assert [training_keywords(replace(run, method="dtw"))["gamma"] for run in runs.values()] == [0.99, 0.98]


def test_a_run_does_not_go_on_with_an_agent_of_other_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = config("target", steps=512, eval_every=512)
    train(run, tmp_path)
    load_policy(tmp_path)
    monkeypatch.setattr(settings, "PPO", {**settings.PPO, "learning_rate": 1e-3})
    for resume in (lambda: load_policy(tmp_path), lambda: train(replace(run, steps=1_024), tmp_path)):
        with pytest.raises(RunDirectoryError, match=r"(?s)0.0006.*now has.*0.001.*new directory"):
            resume()


def test_settings_are_kept_as_json() -> None:
    for robot in ("Hopper", "HalfCheetah"):
        kept = as_json(agent_settings("sb3-ppo", robot))
        assert json.loads(json.dumps(kept)) == kept
    assert as_json(agent_settings("sb3-ppo", "HalfCheetah"))["policy_kwargs"]["activation_fn"] == "ReLU"
