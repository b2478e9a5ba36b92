"""PPO: advantages, statistics, runs that are killed and resumed, and learning."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from tests.baselines.telltale import telltale_lanes
from transreward_baselines import ppo
from transreward_baselines.parts.rollout import estimate_advantages
from transreward_baselines.ppo import PPO, Args, estimate_values, main
from transreward_baselines.run_directory import checkpoints
from transreward_baselines.training_ids import evaluation_ids
from transreward_baselines.tuned import parse
from transreward_wrappers.storage import load_tensors

GAMMA, LAMBDA = 0.9, 0.8
SMALL = {
    "device": "cpu",
    "env_id": "InvertedPendulum-v5",
    "num_envs": 4,
    "num_steps": 16,
    "hidden": 8,
    "epochs": 2,
    "eval_episodes": 2,
    "eval_every": 128,
    "checkpoint_every": 128,
    "total_steps": 256,
}


def small(out: Path, **changes: object) -> Args:
    return Args(**{**SMALL, "out": out, **changes})


def test_a_run_across_robots_is_evaluated_in_the_target_alone(tmp_path: Path) -> None:
    fit = ("fit_budget=40", "fit_updates=2")
    env_id = "TransReward/Walker2d-from-Hopper-reward-transfer-v0"
    results = main(small(tmp_path / "run", env_id=env_id, settings=fit, keep_policies=True))
    assert [result.domain for result in results] == ["target", "target"]
    assert evaluation_ids(env_id) == {"target": "TransReward/Walker2d-from-Hopper-target-v0"}
    assert list(evaluation_ids("TransReward/Hopper-mass-2.0-reward-transfer-v0")) == ["target", "source"]
    more = main(small(tmp_path / "run", env_id=env_id, settings=fit, keep_policies=True, total_steps=384))
    assert [result.step for result in more] == [128, 256, 384]


def discounted_errors(lane: list[dict], t: int) -> float:
    """Return the advantage as the definition's sum over the rest of the episode, of one lane's transitions."""
    total, weight = 0.0, 1.0
    for step in lane[t:]:
        total += weight * (step["reward"] + GAMMA * step["next_value"] - step["value"])
        if step["done"]:
            break
        weight *= GAMMA * LAMBDA
    return total


@st.composite
def lane_histories(draw: st.DrawFn) -> list[dict]:
    """Draw the transitions of one lane, of several episodes, the last one unfinished or not."""
    numbers = st.floats(-5.0, 5.0)
    steps = draw(st.lists(st.sampled_from(["on", "on", "terminated", "truncated"]), min_size=1, max_size=12))
    history = []
    for end in steps:
        done = end != "on"
        step = {"reward": draw(numbers), "value": draw(numbers), "done": done, "end": end}
        step["next_value"] = 0.0 if end == "terminated" else draw(numbers)
        history.append(step)
    for before, after in itertools.pairwise(history):
        if not before["done"]:
            before["next_value"] = after["value"]
    return history


@given(history=lane_histories(), following=st.booleans(), noise=st.floats(-1e3, 1e3))
def test_advantages_are_the_sums_of_their_definition(history: list[dict], following: bool, noise: float) -> None:
    filler = {"reward": noise, "value": noise, "next_value": -noise, "done": False, "end": "filler"}
    laid = []
    for step in history:
        laid += [step, filler] if following and step["done"] else [step]
    arrays = {name: np.array([[step[name]] for step in laid]) for name in ("reward", "value", "next_value", "done")}
    valid = np.array([[step["end"] != "filler"] for step in laid])
    advantages = estimate_advantages(
        arrays["reward"],
        arrays["value"],
        arrays["next_value"],
        arrays["done"],
        valid,
        gamma=GAMMA,
        gae_lambda=LAMBDA,
    )
    expected = [discounted_errors(history, t) for t in range(len(history))]
    assert np.allclose(advantages[valid], expected)
    assert not advantages[~valid].any()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_values_beyond_are_those_of_the_episodes_own_last_observation(mode: AutoresetMode, tmp_path: Path) -> None:
    lanes = telltale_lanes(mode)
    agent = PPO(small(tmp_path), 3, 1, 3)
    observations = lanes.reset(seed=0)
    seen, steps = [], []
    for _ in range(20):
        seen.append(observations)
        steps.append(lanes.step(np.zeros((3, 1))))
        observations = steps[-1].observations
    normalised = agent.observations.normalise(np.stack([*seen, observations]))
    values, next_values = estimate_values(agent, normalised, steps)
    kinds = set()
    for t, step in enumerate(steps):
        for lane in np.flatnonzero(step.valid):
            where, episode, time = seen[t][lane]
            length = (3, 5, 4, 1, 5)[int(where + episode) % 5]
            kind = "on" if time + 1 < length else {5: "limit", 4: "failed"}.get(length, "end")
            after = agent.observations.normalise(np.array([[where, episode, time + 1]]))
            with torch.inference_mode():
                expected = 0.0 if kind in ("end", "failed") else float(agent.value(torch.from_numpy(after)))
            assert next_values[t, lane] == pytest.approx(expected, abs=1e-6)
            kinds.add(kind)
    assert kinds == {"on", "limit", "failed", "end"}
    assert values.shape == (20, 3)


def test_what_is_learned_from_is_the_same_in_both_modes(tmp_path: Path) -> None:
    rollouts = []
    for mode, steps in ((AutoresetMode.SAME_STEP, 30), (AutoresetMode.NEXT_STEP, 45)):
        torch.manual_seed(0)
        args = small(tmp_path, num_steps=steps, log_std=-30.0)  # hardly any noise, which is drawn a step
        agent, lanes = PPO(args, 3, 1, 3), telltale_lanes(mode)
        rollout, _ = ppo.collect(agent, lanes, lanes.reset(seed=0), args)
        kept = rollout.observations[:-1][rollout.valid]
        both = kept[:, 1] < 6  # episodes that are over in both
        columns = [getattr(rollout, name)[rollout.valid][both] for name in ("values", "next_values", "done")]
        table = np.column_stack([kept[both], *columns])
        rollouts.append(table[np.lexsort(table[:, :3].T)])
        assert agent.observations.count == rollout.valid.sum()
    assert np.allclose(*rollouts, atol=1e-6)
    assert len(rollouts[0]) > 50


@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_those_of_automatic_differentiation(seed: int, tmp_path: Path) -> None:
    torch.manual_seed(seed)
    args = small(tmp_path, clip=0.1, entropy_coefficient=0.01)
    agent = PPO(args, 3, 2, 4)
    observations, actions = torch.randn(200, 3), torch.randn(200, 2)
    with torch.no_grad():
        log_densities = agent.log_densities(observations, actions) + 0.2 * torch.randn(200)  # many ratios are clipped
    batch = (observations, actions, log_densities, torch.randn(200), torch.randn(200))
    policy_loss, value_loss, change = ppo.losses(agent, batch, args)
    assert 0.2 < float((change.exp() - 1.0).abs().gt(0.1).float().mean()) < 0.8
    loss = policy_loss + args.value_coefficient * value_loss - args.entropy_coefficient * agent.log_std.sum()
    expected = torch.autograd.grad(loss, agent.parameters)
    ppo.set_gradients(agent, batch, args)
    for parameter, gradient in zip(agent.parameters, expected, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_a_resumed_agent_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    main(small(tmp_path / "run"))
    (path,) = checkpoints(tmp_path / "run")
    tensors, _ = load_tensors(path / "agent.safetensors")
    assert {"policy.0.weight", "log_std", "optimizer.0.exp_avg", "observations.count", "rewards.mean"} <= set(tensors)
    agent = PPO(small(tmp_path / "run"), 4, 1, 4)
    agent.load({"agent": tensors})
    again = agent.files()["agent"]
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)
    assert {type(path) for path in (tmp_path / "run").rglob("*.pt")} == set()


@pytest.mark.parametrize("autoreset", ["SameStep", "NextStep"])
@pytest.mark.parametrize("env_id", ["TransReward/Hopper-v0", "Pendulum-v1"])
def test_ids_of_the_suite_and_of_gymnasium_train(env_id: str, autoreset: str, tmp_path: Path) -> None:
    (row,) = main(small(tmp_path / "run", env_id=env_id, autoreset=autoreset, eval_every=1_000))
    assert (row.domain, row.episodes) == ("plain", 2)
    assert row.step >= 256
    assert np.isfinite(row.return_mean)
    assert list((tmp_path / "run" / "logs").iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env_id": "TransReward/Hoper-v0"}, "Unknown id 'TransReward/Hoper-v0'. Did you mean 'TransReward/Hopper-v0'"),
        ({"total_steps": 0}, "`total_steps` must be an integer >= 1; got 0"),
        ({"num_envs": 0}, "`num_envs` must be an integer >= 1; got 0"),
        ({"gamma": 1.5}, r"`gamma` must lie in \[0, 1\]; got 1.5"),
        ({"clip": 0.0}, "`clip` must be finite and > 0; got 0.0"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be finite and > 0; got nan"),
        ({"settings": ("eta",)}, "A setting has the form name=value"),
        ({"autoreset": "Never"}, "Unknown autoreset mode 'Never'"),
        ({"max_seconds": 0.0}, "`max_seconds` must be finite and > 0; got 0.0"),
        ({"activation": "sine"}, "Unknown activation 'sine'"),
        ({"device": "tpu"}, "Unknown device 'tpu'"),
    ],
)
def test_bad_settings_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Args(**changes)


def test_a_command_line_starts_from_the_defaults_of_the_robot() -> None:
    plain = Args()
    assert parse(Args, ppo.TUNED, ["--seed", "3"]) == Args(seed=3)
    for env_id in ("HalfCheetah-v5", "transreward_envs:TransReward/HalfCheetah-broken-bthigh-darc-v0"):
        args = parse(Args, ppo.TUNED, ["--env-id", env_id, "--hidden", "32", "--set", "eta=0.1"])
        assert (args.gamma, args.hidden, args.settings) == (0.98, 32, ("eta=0.1",))
        assert args.gamma != plain.gamma


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="`device` can be 'cuda' where PyTorch finds a GPU"):
        Args(device="cuda")


def test_a_pendulum_is_balanced_within_seconds(tmp_path: Path) -> None:
    settings = {"num_envs": 8, "num_steps": 64, "minibatch_size": 128, "hidden": 32, "learning_rate": 1e-3}
    env_id = "TransReward/InvertedPendulum-v0"
    rows = main(Args(env_id=env_id, **settings, seed=101, total_steps=8_192, out=tmp_path / "run"))
    assert rows[-1].return_mean > 200.0  # 1,000 at best; random actions last about 6 steps


@pytest.mark.parametrize("script", ["ppo", "sac", "dreamer"])
def test_a_command_line_that_cannot_be_run_ends_with_a_message(script: str) -> None:
    words = ["--env-id", "TransReward/Hopper-mass-2.0-darc-v0", "--set", "etta=1"]
    ended = subprocess.run(
        [sys.executable, "-m", f"transreward_baselines.{script}", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "Unknown setting of DARC 'etta'. Did you mean 'eta'?" in ended.stderr
    assert "Traceback" not in ended.stderr
