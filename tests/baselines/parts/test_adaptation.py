"""The learning rate that follows the divergence of a policy, and policies as runs leave them behind."""

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from transreward_baselines import ppo, sac
from transreward_baselines.lanes import Lanes, make_lanes
from transreward_baselines.parts.adaptation import LIMITS, adapted, divergence
from transreward_baselines.run_directory import checkpoints
from transreward_wrappers.policies import GaussianPolicy
from transreward_wrappers.storage import load_tensors

SHARED = {"env_id": "InvertedPendulum-v5", "num_envs": 4, "hidden": 8, "eval_episodes": 2, "eval_every": 128}
SMALL = {ppo: {"num_steps": 16, "epochs": 2}, sac: {"learning_starts": 32}}


@pytest.mark.parametrize(
    ("found", "expected"), [(0.05, 1e-3 / 1.5), (0.03, 1e-3), (0.02, 1e-3), (0.011, 1e-3), (0.009, 1.5e-3)]
)
def test_the_learning_rate_falls_where_the_policy_moved_far_and_rises_where_it_did_not(
    found: float, expected: float
) -> None:
    assert adapted(1e-3, found, 0.02) == pytest.approx(expected)


def test_the_learning_rate_keeps_within_limits() -> None:
    assert (adapted(LIMITS[0], 1.0, 0.02), adapted(LIMITS[1], 0.0, 0.02)) == LIMITS


def test_the_divergence_is_that_of_two_gaussians() -> None:
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    change = 0.5 * noise.square() - 0.5 * (noise - 0.3).square()  # means 0.3 deviations apart
    assert divergence(change) == pytest.approx(0.3**2 / 2, rel=0.03)


def train(script: ModuleType, out: Path, **changes: object) -> list:
    settings = {**SHARED, **SMALL[script], "device": "cpu", "checkpoint_every": 128, "total_steps": 256, "out": out}
    return script.main(script.Args(**{**settings, **changes}))


def test_a_resumed_run_has_the_learning_rate_that_it_had(tmp_path: Path) -> None:
    train(ppo, tmp_path, target_kl=1e-6)
    (checkpoint,) = checkpoints(tmp_path)
    tensors = load_tensors(checkpoint / "agent.safetensors")[0]
    assert float(tensors["learning_rate"]) < 6e-4
    agent = ppo.PPO(ppo.Args(**SHARED, **SMALL[ppo]), 4, 1, 4)
    agent.load({"agent": tensors})
    assert agent.learning_rate == float(tensors["learning_rate"])


@pytest.mark.parametrize("script", [ppo, sac])
def test_a_kept_policy_acts_as_the_agent_does_and_keeping_it_changes_nothing(
    script: ModuleType, tmp_path: Path
) -> None:
    kept, without = (train(script, tmp_path / name, keep_policies=name == "kept") for name in ("kept", "without"))
    assert [row.return_mean for row in kept] == [row.return_mean for row in without]
    policy = GaussianPolicy.load(sorted((tmp_path / "kept" / "policies").iterdir())[-1])
    args = script.Args(**SHARED, **SMALL[script], device="cpu")
    agent = ppo.PPO(args, 4, 1, 4) if script is ppo else sac.SAC(args, 4, 1)
    (checkpoint,) = checkpoints(tmp_path / "kept")
    agent.load({path.stem: load_tensors(path)[0] for path in checkpoint.glob("*.safetensors")})
    observations = np.random.default_rng(0).normal(size=(32, 4))
    np.testing.assert_allclose(policy(observations), agent.act(observations), atol=5e-3)
    assert np.isfinite(policy.log_std).all()
    assert policy.log_std.max() <= math.log(1.0 if script is sac else 20.0)


def test_policies_beyond_the_checkpoint_are_dropped_when_a_run_resumes(tmp_path: Path) -> None:
    train(ppo, tmp_path, keep_policies=True)
    folder = tmp_path / "policies"
    (folder / "000000000384.safetensors").write_bytes((folder / "000000000256.safetensors").read_bytes())
    train(ppo, tmp_path, keep_policies=True)
    assert sorted(path.stem for path in folder.iterdir()) == ["000000000128", "000000000256"]


def test_the_newest_transitions_are_the_last_that_were_added() -> None:
    lanes = Lanes(make_lanes("InvertedPendulum-v5", 2))
    agent = sac.SAC(sac.Args(**{**SHARED, "num_envs": 2}, buffer_size=6, device="cpu"), 4, 1)
    observations = lanes.reset(seed=0)
    for value in range(5):
        agent.replay.add(observations, np.full((2, 1), value / 10.0), lanes.step(np.zeros((2, 1))))
    lanes.close()
    assert sorted(agent.replay.newest(4, agent.device).actions[:, 0].tolist()) == pytest.approx([0.3, 0.3, 0.4, 0.4])
