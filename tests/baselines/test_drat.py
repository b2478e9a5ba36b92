"""DRaT: what it learns from whose trajectories, that it learns, and runs that are resumed."""

import dataclasses
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.baselines.meta.sides import BEST, HORIZON, Sides
from transreward_baselines import drat
from transreward_baselines.drat import Args, DRaT, classify, collect, critic_goals, learn, main, ratio_of, train, update
from transreward_baselines.meta.batches import MetaBatch, draw_batch
from transreward_baselines.meta.evaluation import MetaEvaluation, meta_test
from transreward_baselines.results import read_rows
from transreward_baselines.run_directory import RunDirectoryError, checkpoints
from transreward_wrappers.storage import load_tensors

SMALL: dict[str, Any] = {
    "train_tasks": 4,
    "horizon": HORIZON,
    "tasks_per_update": 3,
    "batch_size": 16,
    "lookahead": 4,
    "context_size": 12,
    "latent_size": 2,
    "hidden": 16,
    "classifier_hidden": 8,
    "classifier_burst": 4,
    "warmup_episodes": 2,
    "memory_episodes": 20,
    "eval_lanes": 1,
    "adaptation_episodes": 2,
    "eval_every": 64,
    "checkpoint_every": 64,
    "total_steps": 160,
    "quiet": True,
}


def small(**changes: object) -> Args:
    return Args(**{**SMALL, **changes})


def grown(episodes: int = 6, **changes: object) -> DRaT:
    """Return an agent with episodes of random actions of all tasks."""
    args = small(warmup_episodes=100, **changes)
    agent = DRaT(args, Sides.train, 1, 1)
    with closing(Sides().lanes(range(4), threads=1)) as lanes:
        for _ in range(episodes):
            agent.remember(collect(agent, lanes))
    return agent


def batch_of(agent: DRaT, seed: int = 0) -> MetaBatch:
    args = agent.args
    sizes = {"size": 16, "stretches": args.stretches, "lookahead": 4, "context": 12, "recent": 4}
    return draw_batch(agent.memory, Sides(), tasks=3, **sizes, generator=np.random.default_rng(seed))


def goals_of(agent: DRaT, batch: MetaBatch) -> torch.Tensor:
    """Return the critics' goals, drawn with the same noise each time."""
    agent.generator.manual_seed(0)
    seen = agent.tensor(agent.states(batch.steps.observations))
    latents = torch.zeros(len(seen), agent.latent_size)
    log_densities = agent.sac.log_density(agent.sac.law(seen, latents), agent.tensor(batch.steps.actions))
    return critic_goals(agent, batch, seen, latents, log_densities)


def test_a_batch_has_the_tasks_own_transitions_and_those_of_others() -> None:
    batch = batch_of(grown())
    steps, given = batch.steps, batch.tasks[batch.given]
    own = np.arange(len(steps)) < batch.own
    assert 0 < batch.own < len(steps)
    assert np.bincount(batch.given).tolist() == [16] * 3  # short stretches are made up for by the tasks' own
    assert (steps.source[own] == given[own]).all()
    assert (steps.source[~own] != given[~own]).all()
    assert np.array_equal(batch.rewards[own], steps.rewards[own])
    ends = Sides.sides(given) * steps.next_observations[:, 0] >= 1.0 - 1e-3
    assert np.array_equal(batch.rewards, ends)
    assert not np.array_equal(batch.rewards, steps.rewards)
    assert np.array_equal(batch.context.source, np.repeat(batch.tasks, 12))


def test_other_tasks_are_met_alike() -> None:
    agent = grown(relabelled_share=1.0)
    batches = [batch_of(agent, seed) for seed in range(200)]
    met = np.zeros((4, 4))
    for batch in batches:
        others = slice(batch.own, None)
        np.add.at(met, (batch.tasks[batch.given[others]], batch.steps.source[others]), 1)
    off = met[~np.eye(4, dtype=bool)]
    assert np.diag(met).tolist() == [0.0] * 4
    assert off.min() > 0.7 * off.mean()


def test_a_batch_may_be_of_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, own = grown(relabelled_share=1.0, lookahead=1), []
    agent.args = dataclasses.replace(agent.args, warmup_episodes=1)
    monkeypatch.setattr(drat, "update", lambda agent, batch: own.append(batch.own) or update(agent, batch))
    report = learn(agent, Sides(), steps=20)
    assert own == [0, 0, 0]
    assert agent.updates == 3
    assert all(math.isfinite(value) for value in report.values())


def test_an_agent_that_does_not_relabel_sees_its_own_alone() -> None:
    agent = grown(relabelling="none")
    batch = batch_of(agent)
    assert agent.args.stretches == 0
    assert len(batch.steps) == batch.own == 3 * 16


def test_own_transitions_are_valued_by_one_step() -> None:
    agent = grown()
    batch = batch_of(agent)
    agent.generator.manual_seed(0)
    led_to = agent.tensor(agent.states(batch.steps.next_observations))
    following = agent.sac.state_values(led_to, torch.zeros(len(led_to), 2), agent.generator)
    expected = agent.tensor(batch.rewards) + 0.99 * following
    own, others = slice(None, batch.own), slice(batch.own, None)
    for kind in ("drae", "direct", "plain"):
        agent.args = small(relabelling=kind)
        goals = goals_of(agent, batch)
        assert torch.allclose(goals[:, own], expected[own].expand(2, -1))
        assert torch.allclose(goals[:, others], expected[others].expand(2, -1)) == (kind == "plain")


def test_unit_ratios_make_goals_those_of_the_direct_form() -> None:
    agent = grown()
    batch = batch_of(agent)
    found = {}
    for kind, ratio in (("direct", "interval"), ("drae", "one"), ("drae", "classifier")):
        agent.args = small(relabelling=kind, ratio=ratio)
        found[kind, ratio] = goals_of(agent, batch)
    assert torch.allclose(found["direct", "interval"], found["drae", "one"], atol=1e-5)
    assert not torch.allclose(found["direct", "interval"], found["drae", "classifier"], atol=1e-5)


def test_estimates_are_given_values_and_weights_of_the_very_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, given = grown(), {}
    batch = batch_of(agent)
    others = slice(batch.own, None)
    value_of = lambda states: 3.0 * states[:, 0] + 1.0  # noqa: E731
    monkeypatch.setattr(agent.sac, "state_values", lambda states, latents, generator: value_of(states))
    found = drat.relabelled_values
    monkeypatch.setattr(
        drat,
        "relabelled_values",
        lambda kind, steps, q, **more: given.update(steps=steps, q=q, **more) or found(kind, steps, q, **more),
    )
    goals_of(agent, batch)
    steps, seen = given["steps"], batch.steps
    assert np.allclose(steps.value, value_of(agent.states(seen.observations[others])), atol=1e-5)
    assert np.allclose(steps.next_value, value_of(agent.states(seen.next_observations[others])), atol=1e-5)
    assert np.array_equal(steps.reward, batch.rewards[others])
    assert np.array_equal(steps.ends, seen.ends[others])
    states, actions = agent.tensor(agent.states(seen.observations)), agent.tensor(seen.actions)
    log_pi = agent.sac.log_density(agent.sac.law(states, torch.zeros(len(states), 2)), actions).detach().numpy()
    ratio = np.exp(log_pi + np.log(2.0))[others]  # random actions have a density of a half
    assert ratio.max() > 1.0 > ratio.min()
    assert np.allclose(given["policy_weight"], np.minimum(ratio, 1.0), rtol=1e-4)


def test_actions_are_kept_with_their_density_under_the_policy_that_took_them() -> None:
    agent, latents = grown(), torch.tensor([[1.0, -1.0]] * 4)
    act = agent.actor(latents, torch.Generator().manual_seed(0))
    seen = np.linspace(-1.0, 1.0, 4)[:, None]
    actions, log_densities = act(seen)
    law = agent.sac.law(agent.tensor(agent.states(seen.astype(np.float32))), latents)
    assert np.allclose(agent.sac.log_density(law, torch.from_numpy(actions)).detach(), log_densities, atol=1e-3)
    deterministic, _ = agent.actor(latents, None)(seen)
    assert np.allclose(deterministic, law[0].tanh().detach())


def test_actions_at_the_edge_of_the_box_are_as_likely_as_they_were() -> None:
    agent, latents = grown(), torch.tensor([[1.0, -1.0]] * 4)
    with torch.no_grad():
        agent.sac.policy[-1].bias[:1] += 6.0  # the mean before it is squashed
    seen = np.linspace(-1.0, 1.0, 4)[:, None]
    actions, log_densities = agent.actor(latents, torch.Generator().manual_seed(0))(seen)
    assert (np.abs(actions) > 0.999).any()
    law = agent.sac.law(agent.tensor(agent.states(seen.astype(np.float32))), latents)
    assert np.allclose(agent.sac.log_density(law, torch.from_numpy(actions)).detach(), log_densities, atol=1e-5)


def test_transitions_that_the_classifiers_rule_out_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = grown()
    batch = batch_of(agent)
    others = slice(batch.own, None)
    monkeypatch.setattr(
        agent.classifiers, "log_ratios", lambda features, source, target: torch.full((3, len(features)), -math.inf)
    )
    goals = goals_of(agent, batch)[:, others]
    seen, actions = agent.tensor(agent.states(batch.steps.observations)), agent.tensor(batch.steps.actions)
    kept = agent.sac.slow_values(seen, actions, torch.zeros(len(seen), 2)).detach()[:, others]
    assert torch.allclose(goals, kept, atol=1e-6)


def test_ratios_are_asked_from_the_task_that_made_a_transition_to_that_which_it_is_given_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = grown()
    batch, asked = batch_of(agent), {}

    def log_ratios(features: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        asked.update(features=features, source=source, target=target)
        return torch.log(torch.tensor([[0.5], [0.25], [1.5]])).expand(-1, len(features))

    monkeypatch.setattr(agent.classifiers, "log_ratios", log_ratios)
    for kind, low, high in (("interval", 1.0, 1.0), ("slide", 0.25, 1.5), ("classifier", *[(3 / 16) ** (1 / 3)] * 2)):
        agent.args = small(ratio=kind)
        ratio = ratio_of(agent, batch)
        assert (ratio.low.min(), ratio.high.max()) == pytest.approx((low, high), rel=1e-6)
    others = slice(batch.own, None)
    assert np.array_equal(asked["source"], batch.steps.source[others])
    assert np.array_equal(asked["target"], batch.tasks[batch.given[others]])
    assert torch.equal(asked["features"], agent.features(batch.steps)[others])


def test_classifiers_are_shown_as_many_transitions_of_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, shown = grown(), []
    monkeypatch.setattr(agent.classifiers, "descend", lambda *given: shown.append(given) or torch.zeros(()))
    classify(agent)
    ((features, labels, _),) = shown
    assert features.shape == (3, 4 * drat.CLASSIFIED, 3)
    assert all(np.array_equal(np.bincount(row), [drat.CLASSIFIED] * 4) for row in labels)


def test_an_update_moves_everything_and_the_targets_by_tau() -> None:
    agent = grown()
    before = {name: tensor.clone() for name, tensor in agent.files()[0]["agent"].items()}
    report = update(agent, batch_of(agent))
    after = agent.files()[0]["agent"]
    for name in ("sac.policy.0.weight", "sac.critics.weights.0", "encoder.network.weights.0", "sac.log_temperature"):
        assert not torch.equal(before[name], after[name]), name
    moved = before["sac.targets.weights.1"].lerp(after["sac.critics.weights.1"], agent.args.tau)
    assert torch.allclose(after["sac.targets.weights.1"], moved)
    assert all(math.isfinite(float(value)) for value in report.values())
    assert all(parameter.requires_grad for parameter in agent.sac.critics.parameters())


def test_the_policys_gradient_does_not_reach_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, moved = grown(kl_weight=0.0), []
    monkeypatch.setattr(drat, "_descend", lambda optimizer, loss: moved.append((optimizer, loss)))
    update(agent, batch_of(agent))
    losses = [loss for _, loss in moved]
    weights = agent.encoder.network.weights[0]
    reached = [torch.autograd.grad(loss, weights, allow_unused=True)[0] is not None for loss in losses]
    assert reached == [True, False, False]


def test_without_a_context_a_task_is_not_inferred() -> None:
    agent = grown(context=False, relabelling="none")
    assert agent.latent_size == 0
    report = update(agent, batch_of(agent))
    assert float(report["charts/divergence"]) == 0.0
    with closing(Sides().lanes([4, 5], threads=1)) as lanes:
        judged = meta_test(agent, lanes, episodes=2, horizon=HORIZON)
    assert len({one.actions.tobytes() for one in judged}) == 1  # nothing is learned from episodes of adaptation


def test_meta_tests_neither_hang_on_training_nor_disturb_it() -> None:
    agent = grown()
    with closing(Sides().lanes([4, 5], threads=1)) as lanes:
        states = agent.generator.get_state(), agent.random.bit_generator.state
        first = meta_test(agent, lanes, episodes=2, horizon=HORIZON)
        assert torch.equal(states[0], agent.generator.get_state())
        assert states[1] == agent.random.bit_generator.state
        agent.generator.manual_seed(7)
        again = meta_test(agent, lanes, episodes=2, horizon=HORIZON)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.actions, other.actions)
    assert len({one.actions.tobytes() for one in first}) == 3  # what is believed differs


def test_a_resumed_run_is_the_run_that_was_not_interrupted(tmp_path: Path) -> None:
    family = Sides()
    whole = train(small(out=tmp_path / "whole"), family)
    train(small(out=tmp_path / "parts", total_steps=96), family)
    parts = train(small(out=tmp_path / "parts"), family)
    assert [(row.step, row.adaptation_episodes) for row in parts][-3:] == [(160, 0), (160, 1), (160, 2)]
    strip = [dataclasses.replace(row, seconds=0.0) for row in whole]
    kept = [dataclasses.replace(row, seconds=0.0) for row in parts if row.step != 96]  # where the first part ended
    assert kept == [row for row in strip if row.step != 96]
    assert parts == read_rows(tmp_path / "parts", MetaEvaluation)
    for name in ("agent", "memory", "classifiers"):
        one, other = (
            load_tensors(checkpoints(tmp_path / run)[-1] / f"{name}.safetensors")[0] for run in ("whole", "parts")
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), name


def test_a_directory_of_another_run_is_refused(tmp_path: Path) -> None:
    train(small(out=tmp_path, total_steps=32), Sides())
    with pytest.raises(RunDirectoryError, match="relabelling: 'drae' there, 'plain' asked for"):
        train(small(out=tmp_path, relabelling="plain"), Sides())
    (checkpoints(tmp_path)[-1] / "agent.safetensors").write_bytes(b"")
    with pytest.raises(RunDirectoryError, match="cannot be read"):
        train(small(out=tmp_path), Sides())


@pytest.mark.parametrize("relabelling", ["drae", "direct", "plain", "none"])
def test_all_ways_of_relabelling_run_on_the_robots(relabelling: Any, tmp_path: Path) -> None:
    settings = {"test_tasks": 1, "out": tmp_path, "relabelling": relabelling, "robot": "Hopper", "distance": 0.01}
    rows = main(small(**settings, horizon=20, updates_per_step=0.05, total_steps=200))
    assert rows[-1].step >= 200
    assert all(math.isfinite(row.return_mean) for row in rows)
    assert {row.adaptation_episodes for row in rows} == {0, 1, 2}


LEARNING: dict[str, Any] = {
    "hidden": 32,
    "batch_size": 32,
    "tasks_per_update": 4,
    "context_size": 16,
    "context_episodes": 8,
    "gamma": 0.8,
    "tau": 0.02,
    "learning_rate": 3e-3,
    "kl_weight": 0.01,
    "temperature": 0.05,
    "updates_per_step": 0.25,
    "warmup_episodes": 10,
    "memory_episodes": 100,
    "eval_every": 10_000,
    "checkpoint_every": 10_000,
}


def returns_after(out: Path, **changes: object) -> list[float]:
    """Return what a learner earns on both sides after 0, 1 and 2 episodes of adaptation; it could earn `BEST`."""
    return [row.return_mean for row in train(small(**{**LEARNING, "out": out, **changes}), Sides())]


def test_a_task_is_inferred_and_done(tmp_path: Path) -> None:
    found = returns_after(tmp_path, relabelling="drae", total_steps=1_600)
    assert found[-1] > 0.8 * BEST
    assert found[0] < 0.6 * BEST  # before it has seen anything, one side at best


def test_what_infers_nothing_does_one_task_at_best(tmp_path: Path) -> None:
    found = returns_after(tmp_path, relabelling="none", context=False, total_steps=800)
    assert max(found) < 0.6 * BEST


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_tasks": 1}, "`train_tasks` must be an integer >= 2; got 1"),
        ({"suite": "spares"}, "Unknown suite 'spares'. Did you mean 'sparse'"),
        ({"robot": "Hoper"}, "Unknown robot of suite 'sparse' 'Hoper'. Did you mean 'Hopper'"),
        ({"relabelling": "dr"}, "Unknown relabelling 'dr'"),
        ({"ratio": "sliding"}, "Unknown kind of ratio 'sliding'. Did you mean 'slide'"),
        ({"context": False}, "there is none to relabel for; got `relabelling` 'drae'. Set it to 'none'"),
        ({"gamma": 1.5}, r"`gamma` must lie in \[0, 1\]; got 1.5"),
        ({"gamma": -0.1}, "`gamma` must be finite and >= 0; got -0.1"),
        ({"relabelled_share": 2.0}, r"`relabelled_share` must lie in \[0, 1\]; got 2.0"),
        ({"relabelled_share": 0.1}, "must make one stretch of 4 at least; it makes none. Raise it or `batch_size`"),
        ({"clip": 0.0}, "`clip` must be finite and > 0; got 0.0"),
        ({"temperature": 0.0}, "`temperature` must be finite and > 0; got 0.0"),
        ({"kl_weight": -1.0}, "`kl_weight` must be finite and >= 0; got -1.0"),
        ({"updates_per_step": math.nan}, "`updates_per_step` must be finite and > 0; got nan"),
        ({"latent_size": 0}, "`latent_size` must be an integer >= 1; got 0"),
        ({"tasks_per_update": 5}, "`tasks_per_update` must be at most all 4 `train_tasks`; got 5"),
        ({"device": "tpu"}, "Unknown device 'tpu'"),
    ],
)
def test_bad_settings_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_other_tasks_steps_never_have_more_than_their_share_of_a_batch() -> None:
    assert small(relabelling="drae", batch_size=64, lookahead=16, relabelled_share=0.5).stretches == 2
    assert small(relabelling="drae", batch_size=64, lookahead=30, relabelled_share=0.5).stretches == 1
    with pytest.raises(ValueError, match="must make one stretch of 40 at least; it makes none"):
        small(relabelling="drae", batch_size=64, lookahead=40, relabelled_share=0.5)


@pytest.mark.parametrize(("name", "value"), [("task_seed", -1), ("train_tasks", 1), ("test_tasks", 0)])
def test_settings_of_tasks_are_refused_by_their_own_names(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be an integer"):
        small(**{name: value})
    with pytest.raises(ValueError, match="`policy_clip` must be"):
        small(policy_clip=0.0)
