"""Agents of Stable-Baselines3: how long their rollouts are."""

import pytest

from tests.baselines.test_train import config
from transreward_baselines.sb3.agents import rollout_steps


@pytest.mark.parametrize(("method", "budget"), [("target", 30_000), ("reward-transfer", 100_000), ("dtw", 700)])
def test_ppo_learns_from_nearly_all_steps_of_its_budget_in_the_target(method: str, budget: int) -> None:
    run = config(method, steps=budget, target_budget=budget, n_envs=8)
    rollout = 8 * rollout_steps(run)
    assert budget % rollout < 0.01 * budget
    assert rollout == 700 // 8 * 8 if budget == 700 else 1_900 < rollout < 2_200


def test_ppo_has_its_usual_rollouts_where_no_budget_ends_it() -> None:
    runs = [config("target", n_envs=8), config("mixture", target_budget=3_000, n_envs=8), config("source", n_envs=8)]
    assert [rollout_steps(run) for run in runs] == [256, 256, 256]
