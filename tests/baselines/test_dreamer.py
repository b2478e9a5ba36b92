"""Dreamer: its returns, its states on the way, what an update moves, and runs that are resumed."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from tests.baselines.telltale import telltale_lanes
from tests.wrappers.dtw.conftest import TINY
from transreward_baselines import dreamer
from transreward_baselines.agent import beginning
from transreward_baselines.dreamer import Args, Dreamer, draw_starts, lambda_returns, learn, main, update
from transreward_baselines.parts.latent_models import PixelModel, Sizes
from transreward_baselines.parts.player import LatentPolicy
from transreward_baselines.render.backend import working_backend
from transreward_baselines.render.errors import RenderError
from transreward_baselines.results import Evaluation, read_rows
from transreward_baselines.run_directory import RunDirectoryError, checkpoints
from transreward_envs.robots.extras import installed
from transreward_wrappers.storage import load_tensors
from transreward_wrappers.world_models.windows import Windows

SMALL = {
    "device": "cpu",
    "env_id": "InvertedPendulum-v5",
    "num_envs": 2,
    "belief": 8,
    "stochastic": 3,
    "hidden": 8,
    "batch_size": 4,
    "length": 6,
    "starts": 16,
    "horizon": 4,
    "learning_starts": 64,
    "eval_episodes": 2,
    "eval_every": 128,
    "checkpoint_every": 128,
    "total_steps": 256,
}
CPU = torch.device("cpu")
shares = st.floats(0.0, 1.0)


def small(out: Path, **changes: object) -> Args:
    return Args(**{**SMALL, "out": out, **changes})


def agent_of(out: Path, **changes: object) -> tuple[Dreamer, Args]:
    """Return an agent with random weights, for telltale lanes."""
    args = small(out, **{"num_envs": 3, **changes})
    torch.manual_seed(0)
    return Dreamer(args, 3, 1), args


def some_windows(count: int = 4, length: int = 6) -> Windows:
    """Return windows of noise, of which some are cut and some end the task."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.ones(count, length)
    mask[0, 3:] = 0.0
    terminated = torch.zeros(count, length, dtype=torch.bool)
    terminated[0, 2] = terminated[1, -1] = True
    return Windows(
        observations=torch.randn(count, length + 1, 3, generator=generator),
        actions=2.0 * torch.rand(count, length, 1, generator=generator) - 1.0,
        rewards=torch.randn(count, length, generator=generator),
        terminated=terminated,
        mask=mask,
    )


@given(seed=st.integers(0, 999), horizon=st.integers(1, 9), lambda_=shares)
def test_lambda_returns_are_those_of_a_loop_over_all_horizons(seed: int, horizon: int, lambda_: float) -> None:
    generator = np.random.default_rng(seed)
    rewards, values = generator.normal(size=(2, horizon, 3))
    discounts = generator.uniform(size=(horizon, 3))
    returns = lambda_returns(*map(torch.from_numpy, (rewards, discounts, values)), lambda_).numpy()
    for start in range(horizon):
        total, weight = np.zeros(3), 1.0
        for end in range(start, horizon):  # the return of each number of steps, weighted by (1 - lambda) lambda^n
            value = values[end]
            for step in reversed(range(start, end + 1)):
                value = rewards[step] + discounts[step] * value
            last = end == horizon - 1
            total += weight * (1.0 if last else 1.0 - lambda_) * value
            weight *= lambda_
        np.testing.assert_allclose(returns[start], total, atol=1e-12)


@given(reward=st.floats(-10.0, 10.0), gamma=st.floats(0.0, 0.99), lambda_=shares, horizon=st.integers(1, 20))
def test_true_values_of_a_constant_reward_are_its_lambda_returns(
    reward: float, gamma: float, lambda_: float, horizon: int
) -> None:
    ones = torch.ones(horizon, 2, dtype=torch.float64)
    returns = lambda_returns(reward * ones, gamma * ones, reward / (1.0 - gamma) * ones, lambda_)
    torch.testing.assert_close(returns, reward / (1.0 - gamma) * ones, atol=1e-9, rtol=1e-9)


def test_nothing_beyond_an_end_counts() -> None:
    rewards, values = torch.ones(4, 1), torch.full((4, 1), 100.0)
    discounts = torch.tensor([[0.9], [0.0], [0.9], [0.9]])
    assert lambda_returns(rewards, discounts, values, 1.0)[:2, 0].tolist() == pytest.approx([1.9, 1.0])
    assert lambda_returns(rewards, discounts, values, 0.0)[:2, 0].tolist() == pytest.approx([91.0, 1.0])


def test_an_update_moves_everything(tmp_path: Path) -> None:
    agent, args = agent_of(tmp_path, tau=0.1)
    before = {name: tensor.clone() for name, tensor in agent.files()["agent"].items()}
    report = update(agent, some_windows(), args)
    after = agent.files()["agent"]
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    for name in ("posterior.0", "prior.0", "decoder.0", "outcome.0", "joint.0"):
        assert f"player.model.{name}.weight" in moved
    assert {"player.actor.0.weight", "critic.0.weight", "target.0.weight", "log_temperature", "updates"} <= moved
    slow = before["target.0.weight"].lerp(after["critic.0.weight"], 0.1)
    assert torch.allclose(after["target.0.weight"], slow)
    assert all(math.isfinite(float(value)) for value in report.values())


def test_an_actor_learns_what_imagined_rewards_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, args = agent_of(tmp_path, actor_learning_rate=0.01, temperature=1e-6, gamma=0.0)

    def step(states: torch.Tensor, actions: torch.Tensor, _: torch.Generator) -> torch.Tensor:
        return torch.cat([states[:, 1:], actions], dim=-1)

    def outcomes(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return -(states[..., -1] - 0.5).square(), torch.ones(states.shape[:-1])

    monkeypatch.setattr(agent.model, "step", step)
    monkeypatch.setattr(agent.model, "outcomes", outcomes)
    observations = np.zeros((1, 3))
    assert abs(float(agent.act(observations)[0, 0]) - 0.5) > 0.2
    for _ in range(150):
        update(agent, some_windows(), args)
    assert float(agent.act(observations)[0, 0]) == pytest.approx(0.5, abs=0.1)


def test_what_is_imagined_beyond_an_end_teaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for beyond in (0.0, 100.0):
        agent, args = agent_of(tmp_path)

        def outcomes(path: torch.Tensor, beyond: float = beyond) -> tuple[torch.Tensor, torch.Tensor]:
            """Return a reward of 1 and the end at once, and more of both to no avail."""
            rewards, goes_on = torch.full(path.shape[:2], beyond), torch.ones(path.shape[:2])
            rewards[0], goes_on[0] = 1.0, 0.0
            return rewards + 0.0 * path.sum(-1), goes_on

        monkeypatch.setattr(agent.model, "outcomes", outcomes)
        losses.append(update(agent, some_windows(), args)["losses/critic"])
    assert losses[0] == losses[1]
    assert losses[0] > 0.0


def test_starts_are_states_that_a_step_was_taken_from(tmp_path: Path) -> None:
    agent, _ = agent_of(tmp_path)
    windows = some_windows()
    states = agent.model.states(windows.observations, windows.actions)
    allowed = {tuple(row.tolist()) for row in states[:, :-1][windows.mask.bool()].detach()}
    drawn = {tuple(row.tolist()) for row in draw_starts(agent, windows, 500)}
    assert drawn == allowed
    assert len(allowed) == 4 * 6 - 3


def test_values_stay_the_same_when_their_unit_changes(tmp_path: Path) -> None:
    agent, _ = agent_of(tmp_path)
    states = torch.randn(5, agent.model.state_size)
    agent.measure(torch.full((3, 4), 2.0))
    values = [critic(states) * agent.figures["square"] ** 0.5 for critic in (agent.critic, agent.target)]
    agent.measure(torch.linspace(-100.0, 300.0, 12).view(3, 4))
    assert agent.figures["square"] > 1_000.0
    for critic, before in zip((agent.critic, agent.target), values, strict=True):
        torch.testing.assert_close(critic(states) * agent.figures["square"] ** 0.5, before)


def test_states_on_the_way_are_those_of_the_whole_run(tmp_path: Path) -> None:
    agent, _ = agent_of(tmp_path)
    windows = some_windows(length=9)
    state = action = None
    told = agent.model.states(windows.observations, windows.actions)
    for step in range(9):
        state = agent.player.see(state, action, windows.observations[:, step])
        torch.testing.assert_close(state, told[:, step], atol=1e-5, rtol=1e-4)
        action = windows.actions[:, step]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_nothing_is_remembered_of_the_episode_before(mode: AutoresetMode, tmp_path: Path) -> None:
    agent, _ = agent_of(tmp_path)
    lanes = telltale_lanes(mode)
    observations, begins = lanes.reset(seed=0), np.ones(3, dtype=bool)
    for _ in range(20):
        actions = agent.explore(observations)
        state, _ = agent._past
        begins = observations[:, 2] == 0.0
        belief = state[:, :8].abs().amax(dim=1).numpy()
        assert (belief[begins] == 0.0).all()
        if mode == AutoresetMode.SAME_STEP:
            assert (belief[~begins] > 0.0).all()
        result = lanes.step(actions)
        agent.add(observations, actions, result)
        observations = result.observations


def test_an_evaluation_begins_anew_and_then_remembers(tmp_path: Path) -> None:
    agent, _ = agent_of(tmp_path)
    lanes = telltale_lanes(AutoresetMode.SAME_STEP)
    first, second = beginning(agent, lanes.action_space), beginning(agent, lanes.action_space)
    observations = np.random.default_rng(0).normal(size=(4, 3))
    once, again = first(observations), first(observations)
    assert not np.array_equal(once, again)
    assert np.array_equal(second(observations), once)
    assert np.allclose(agent.act(observations), once, atol=1e-6)
    assert once.shape == (4, 1)


def test_scales_follow_what_was_seen(tmp_path: Path) -> None:
    agent, args = agent_of(tmp_path, learning_starts=1_000)
    lanes = telltale_lanes(AutoresetMode.SAME_STEP)
    learn(agent, lanes, lanes.reset(seed=0), args, np.random.default_rng(0))
    kept = agent.replay.draw(2_000, 1, CPU).observations[:, 0]
    scales = agent.model.scales
    torch.testing.assert_close(scales.mean, kept.mean(dim=0), atol=0.2, rtol=0.1)
    torch.testing.assert_close(scales.std, kept.std(dim=0), atol=0.2, rtol=0.1)
    assert float(agent.model.reward_std) == pytest.approx(agent.statistics["rewards"].variance[0] ** 0.5)


@pytest.mark.parametrize("ratio", [0.1, 1.0])
def test_updates_follow_transitions_by_their_ratio(
    ratio: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, args = agent_of(tmp_path, updates_per_step=ratio, learning_starts=30)
    lanes, updates = telltale_lanes(AutoresetMode.SAME_STEP), []
    monkeypatch.setattr(dreamer, "BLOCK", 64)
    monkeypatch.setattr(dreamer, "update", lambda *_: updates.append(agent.replay.size) or {})
    steps, _, _ = learn(agent, lanes, lanes.reset(seed=0), args, np.random.default_rng(0))
    assert steps == 3 * dreamer.BLOCK
    assert len(updates) == pytest.approx(ratio * (steps - 30), abs=ratio * 3 + 1)
    assert updates[0] > 30


def test_a_run_is_resumed_to_the_same_steps_and_evaluations(tmp_path: Path) -> None:
    whole = main(small(tmp_path / "whole"))
    main(small(tmp_path / "parts", total_steps=128))
    parts = main(small(tmp_path / "parts"))
    assert [row.step for row in parts] == [row.step for row in whole] == [128, 256]
    assert parts == read_rows(tmp_path / "parts", Evaluation)
    assert parts[0].return_mean == whole[0].return_mean
    kept = [load_tensors(checkpoints(tmp_path / name)[-1] / "replay.safetensors")[0] for name in ("whole", "parts")]
    first, again = (one["observations"][:60] for one in kept)  # of the first lane, before the interruption
    assert torch.equal(first, again)
    with pytest.raises(RunDirectoryError, match="script: 'dreamer' there, 'sac' asked for"):
        from transreward_baselines import sac

        sac.main(sac.Args(env_id="InvertedPendulum-v5", out=tmp_path / "parts"))


def test_a_resumed_agent_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    main(small(tmp_path / "run"))
    (path,) = checkpoints(tmp_path / "run")
    files = {name: load_tensors(path / f"{name}.safetensors")[0] for name in ("agent", "replay")}
    agent = Dreamer(small(tmp_path / "run"), 4, 1)
    agent.load(files)
    again = agent.files()
    for name, tensors in files.items():
        assert again[name].keys() == tensors.keys()
        same = {key: torch.equal(again[name][key], tensors[key]) for key in tensors}
        assert all(same[key] for key in same if key != "last")  # episodes that were not over end there
    assert {"optimizer-actor.0.exp_avg", "target.0.weight", "statistics-observations.mean"} <= set(files["agent"])


def test_the_same_seed_gives_the_same_run_and_another_gives_another(tmp_path: Path) -> None:
    runs = {name: small(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))}
    kept = {}
    for name, args in runs.items():
        main(args)
        kept[name] = load_tensors(checkpoints(args.out)[-1] / "agent.safetensors")[0]["player.actor.0.weight"]
    assert torch.equal(kept["a"], kept["b"])
    assert not torch.equal(kept["a"], kept["c"])


@pytest.mark.filterwarnings("ignore::transreward_wrappers.world_models.PoorModelWarning")
@pytest.mark.filterwarnings("ignore::transreward_wrappers.world_models.HorizonWarning")
@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        ("TransReward/InvertedPendulum-mass-0.5-dtw-v0", tuple(f"{name}={value}" for name, value in TINY.items())),
        ("TransReward/Hopper-gravity-2.0-target-v0", ()),
        ("TransReward/Hopper-gravity-2.0-darc-v0", ("warmup=60", "hidden=8", "batch_size=16", "update_every=16")),
        ("Pendulum-v1", ()),
    ],
)
def test_ids_of_all_kinds_train(env_id: str, settings: tuple[str, ...], tmp_path: Path) -> None:
    rows = main(small(tmp_path / "run", env_id=env_id, settings=settings, total_steps=128))
    assert {row.step for row in rows} == {128}
    assert all(np.isfinite(row.return_mean) for row in rows)


def test_a_budget_of_target_steps_ends_a_run(tmp_path: Path) -> None:
    shared = {"env_id": "TransReward/InvertedPendulum-gravity-2.0-target-v0", "settings": ("target_budget=100",)}
    assert main(small(tmp_path / "run", **shared, total_steps=1_000))[-1].step == 100


def test_a_policy_in_a_file_acts_as_its_agent_does(tmp_path: Path) -> None:
    agent, _ = agent_of(tmp_path)
    agent.export({"steps": 5}).save(tmp_path / "policy.safetensors")
    policy = LatentPolicy.load(tmp_path / "policy.safetensors")
    assert policy.about == {"steps": 5}
    observations = np.random.default_rng(0).normal(size=(3, 4, 3))
    acts = agent.begin(), policy.begin()
    for seen in observations:
        assert np.array_equal(*(act(seen) for act in acts))


def test_a_run_keeps_its_policies(tmp_path: Path) -> None:
    main(small(tmp_path / "run", keep_policies=True))
    kept = sorted((tmp_path / "run/policies").iterdir())
    assert [path.stem for path in kept] == ["000000000128", "000000000256"]
    assert LatentPolicy.load(kept[-1]).about["algorithm"] == "dreamer"


def test_a_model_of_pixels_learns_to_tell_pictures_apart() -> None:
    torch.manual_seed(0)
    model = PixelModel(Sizes(observation=64 * 64 * 3, action=1, belief=8, stochastic=4, hidden=8, pixels=True))
    pictures = torch.zeros(1, 3, 64, 64, 3)
    pictures[:, 0, :32], pictures[:, 1:, 32:] = 255.0, 255.0
    windows = Windows(
        observations=pictures.flatten(2),
        actions=torch.zeros(1, 2, 1),
        rewards=torch.zeros(1, 2),
        terminated=torch.zeros(1, 2, dtype=torch.bool),
        mask=torch.ones(1, 2),
    )
    adam, generator = torch.optim.Adam(model.parameters(), lr=3e-3), torch.Generator().manual_seed(0)
    for _ in range(60):
        adam.zero_grad()
        model.loss(windows, generator).backward()
        adam.step()
    with torch.no_grad():
        decoded = model.decode(model.states(windows.observations, windows.actions)).view(1, 3, 64, 64, 3)
    assert decoded.shape == pictures.shape
    assert float((decoded - pictures).abs().mean()) < 40.0  # 127 for grey
    assert float(model.scales.std) == 255.0


@pytest.mark.skipif(not installed("dmc"), reason="needs the extra `dmc`")
def test_a_run_learns_from_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        monkeypatch.setenv("MUJOCO_GL", working_backend())
    except RenderError as error:
        pytest.skip(str(error))
    shared = {"env_id": "TransReward/CheetahRun-repeat-4to2-target-v0", "settings": ("max_episode_steps=6",)}
    tiny = {"num_envs": 1, "batch_size": 2, "length": 3, "learning_starts": 8, "eval_episodes": 1, "total_steps": 16}
    args = small(tmp_path / "run", **shared, **tiny, pixels=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:  # renderers are chosen when they are loaded
        rows = own.submit(main, args).result()
    assert np.isfinite(rows[-1].return_mean)
    kept = load_tensors(checkpoints(tmp_path / "run")[-1] / "replay.safetensors")[0]["observations"]
    assert kept.dtype == torch.uint8
    assert kept.float().std() > 10.0


@pytest.mark.slow
def test_a_pendulum_is_balanced_after_twelve_thousand_steps(tmp_path: Path) -> None:
    shared = {"env_id": "InvertedPendulum-v5", "total_steps": 12_000, "learning_starts": 1_000, "eval_every": 2_000}
    rows = main(Args(**shared, seed=1, device="cpu", out=tmp_path / "run"))
    assert max(row.return_mean for row in rows) > 900.0  # of 1,000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates_per_step": 0.0}, "`updates_per_step` must be finite and > 0; got 0.0"),
        ({"temperature": 0.0}, "`temperature` must be finite and > 0; got 0.0"),
        ({"actor_learning_rate": -1.0}, "`actor_learning_rate` must be finite and > 0; got -1.0"),
        ({"horizon": 0}, "`horizon` must be an integer >= 1; got 0"),
        ({"learning_starts": -1}, "`learning_starts` must be an integer >= 0; got -1"),
        ({"gamma": 1.0}, r"`gamma` must"),
        ({"return_lambda": 1.5}, r"`return_lambda` must lie in \[0, 1\]; got 1.5"),
        ({"tau": 2.0}, r"`tau` must lie in \[0, 1\]; got 2.0"),
        ({"pixels": True}, "`pixels` is for ids of domains of dm_control, such as .*; got 'TransReward/Hopper-v0'"),
        (
            {"pixels": True, "eval_both": True, "env_id": "TransReward/CheetahRun-repeat-4to2-target-v0"},
            "without `eval_both`; got 'TransReward/CheetahRun-repeat-4to2-target-v0'",
        ),
        ({"pixels": True, "env_id": "TransReward/CheetahRun-repeat-4to2-mixture-v0"}, "`pixels` is for ids of domains"),
    ],
)
def test_bad_settings_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Args(**changes)
