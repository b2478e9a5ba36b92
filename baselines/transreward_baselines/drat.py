"""DRaT (NeurIPS 2023): meta-learning from trajectories of all tasks, doubly robustly relabelled; update in one file.

    python -m transreward_baselines.drat --robot HalfCheetah --relabelling drae --total-steps 400000 --seed 1

Tasks are worlds of one robot, with body mass and friction drawn for each, in which reward is sparse. A context encoder
infers the task from transitions, and SAC acts and values in the latent task: PEARL (Rakelly et al. 2019,
arXiv:1903.08254). Beside its own transitions, each task learns from stretches of other tasks' trajectories, with its
own rewards. ``--relabelling`` says what these are taken to be worth: ``drae`` weighs them by how likely they are under
the task's policy and dynamics (docs/drae.md), ``direct`` by its policy alone, ``plain`` not at all, and ``none`` leaves
them out. ``--no-context`` is SAC over all tasks that infers nothing: the control that a meta-learner must beat.

Deviations: PEARL's V is Q of a drawn action; a context is always of the task's own transitions, drawn from its newest
episodes; every task plays one episode at a time, by turns in a latent task drawn from the prior and from what is
believed of it. DRaT's estimates look ahead over stretches of a few steps, drawn anew for each gradient step, beyond
which V stands for what follows; ratios of dynamics are those of one classifier of all tasks. A resumed run is the same
run, bit for bit.

What its relabelling is worth (docs/drae.md): ``python -m studies.drat --out runs/drat``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from transreward_baselines.lanes import Lanes
from transreward_baselines.meta.agent import MetaAgent
from transreward_baselines.meta.args import MetaArgs
from transreward_baselines.meta.batches import MetaBatch, draw_batch
from transreward_baselines.meta.classifiers import TaskClassifiers
from transreward_baselines.meta.episodes import Act, Episodes, play
from transreward_baselines.meta.evaluation import MetaEvaluation, meta_test
from transreward_baselines.meta.family import Family
from transreward_baselines.meta.memory import Steps
from transreward_baselines.meta.relabelling import Relabelling, relabelled_values
from transreward_baselines.meta.run import MetaRun
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_non_negative, require_share, unknown
from transreward_wrappers.drae import DynamicsRatio, RatioKind, Trajectories, dynamics_ratio, weight
from transreward_wrappers.drae.ratios import require_clip
from transreward_wrappers.networks import seeded
from transreward_wrappers.normalization import side_by_side
from transreward_wrappers.storage import Tensors

CLASSIFIED = 16
"""Transitions of each task in a gradient step of a classifier."""


@dataclass(frozen=True, kw_only=True)
class Args(MetaArgs):
    """Settings of DRaT."""

    relabelling: Relabelling = "drae"
    """What other tasks' trajectories are taken to be worth; `none` leaves them out."""

    relabelled_share: float = 0.5
    """Share of a task's transitions in a gradient step that are other tasks'; less where episodes are short [-]."""

    lookahead: int = 16
    """Most steps of a stretch of another task's trajectory."""

    ratio: RatioKind = "interval"
    """What is taken for the ratio of dynamics between two tasks: `classifier`, `interval`, `slide` or `one`."""

    clip: float = 2.0
    """The largest ratio of dynamics [-]."""

    policy_clip: float = 1.0
    """The largest ratio of policies [-]."""

    members: int = 3
    """Pairs of classifiers of the task."""

    classifier_hidden: int = 64
    """Units in each of their two hidden layers."""

    classifier_every: int = 2
    """Gradient steps of the agent for each of theirs."""

    classifier_burst: int = 500
    """Gradient steps that they take at once when the random actions end."""

    input_noise: float = 0.1
    """Standard deviation of noise on their normalised inputs in training [-]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relabelling not in get_args(Relabelling):
            raise ValueError(unknown("relabelling", self.relabelling, get_args(Relabelling)))
        if self.ratio not in get_args(RatioKind):
            raise ValueError(unknown("kind of ratio", self.ratio, get_args(RatioKind)))
        if not self.context and self.relabelling != "none":
            raise ValueError(
                "An agent without a context has one value for all tasks, so that there is none to relabel for; got "
                f"`relabelling` {self.relabelling!r}. Set it to 'none'."
            )
        for name in ("lookahead", "members", "classifier_hidden", "classifier_every"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("classifier_burst", self.classifier_burst)
        require_share("relabelled_share", self.relabelled_share)
        require_non_negative("input_noise", self.input_noise)
        for name in ("clip", "policy_clip"):
            require_clip(getattr(self, name), name)
        if self.relabelling != "none" and self.stretches == 0:
            raise ValueError(
                f"Of {self.batch_size} transitions a task, `relabelled_share` {self.relabelled_share} must make one "
                f"stretch of {self.lookahead} at least; it makes none. Raise it or `batch_size`, or lower `lookahead`."
            )

    @property
    def stretches(self) -> int:
        """Stretches of other tasks' trajectories for each task of a gradient step."""
        if self.relabelling == "none":
            return 0
        return math.floor(self.relabelled_share * self.batch_size / self.lookahead + 1e-9)

    @property
    def classifies(self) -> bool:
        """Whether ratios of dynamics are asked for."""
        return self.relabelling == "drae" and self.ratio != "one"


class DRaT(MetaAgent):
    """PEARL's agent, and classifiers that tell the dynamics of its tasks apart."""

    def __init__(self, args: Args, tasks: int, observation_size: int, action_size: int) -> None:
        super().__init__(args, tasks, observation_size, action_size)
        self.args: Args = args
        pair_size = observation_size + action_size
        with seeded(args.seed):
            self.classifiers = TaskClassifiers(
                tasks,
                pair_size,
                pair_size + observation_size,
                hidden=args.classifier_hidden,
                members=args.members,
                learning_rate=args.learning_rate,
                input_noise=args.input_noise,
                device=self.device,
            )

    def features(self, steps: Steps) -> torch.Tensor:
        """Return what classifiers are shown of transitions, as ``(N, triple_size)``."""
        change = self.changes(steps.next_observations - steps.observations)
        return self.tensor(side_by_side(self.states(steps.observations), steps.actions, change))

    def files(self) -> tuple[dict[str, Tensors], dict[str, Any]]:
        """Return all that training changes."""
        files, about = super().files()
        return {**files, "classifiers": self.classifiers.tensors()}, about

    def load(self, files: Mapping[str, Tensors], about: Mapping[str, Any]) -> None:
        """Put back what :meth:`files` returned."""
        super().load(files, about)
        self.classifiers.load(files["classifiers"])


def update(agent: DRaT, batch: MetaBatch) -> dict[str, torch.Tensor]:
    """Step down the gradients of critics and encoder, policy and temperature, and return what to log."""
    args, sac, steps = agent.args, agent.sac, batch.steps
    belief = agent.believe(batch.context, len(batch.tasks))
    given = torch.from_numpy(batch.given).to(agent.device)
    observations, actions = agent.tensor(agent.states(steps.observations)), agent.tensor(steps.actions)
    latents = belief.sample(agent.generator)[given]
    fixed = latents.detach()
    law = sac.law(observations, fixed)
    goals = critic_goals(agent, batch, observations, fixed, sac.log_density(law, actions))
    values = sac.values(observations, actions, latents)
    critic_loss = (values - goals).square().mean(dim=1).sum()
    divergence = belief.divergence().mean()
    _descend(agent.optimizers["critics"], critic_loss + args.kl_weight * divergence)
    drawn, log_densities = sac.draw(law, agent.generator)
    sac.critics.requires_grad_(False)
    policy_loss = (sac.temperature * log_densities - sac.values(observations, drawn, fixed).amin(dim=0)).mean()
    _descend(agent.optimizers["policy"], policy_loss)
    sac.critics.requires_grad_(True)
    if args.temperature is None:
        excess = log_densities.detach().mean() - sac.action_size  # the entropy's target is one nat below 0 a joint
        _descend(agent.optimizers["temperature"], -sac.log_temperature.exp().squeeze() * excess)
    sac.follow(args.tau)
    agent.updates += 1
    return {
        "losses/critics": critic_loss.detach(),
        "losses/policy": policy_loss.detach(),
        "charts/divergence": divergence.detach(),
        "charts/temperature": sac.temperature,
        "charts/value": values.detach().mean(),
        "charts/entropy": -log_densities.detach().mean(),
    }


@torch.no_grad()
def critic_goals(
    agent: DRaT, batch: MetaBatch, observations: torch.Tensor, latents: torch.Tensor, log_densities: torch.Tensor
) -> torch.Tensor:
    """Return what critics are to say of a batch's actions, as ``(2, N)``.

    Args:
        agent: The agent.
        batch: The batch.
        observations: Normalised, as ``(N, observation_size)``.
        latents: The latent task of each transition, as ``(N, latent_size)``.
        log_densities: Of the actions, under the policy in these tasks [nats], as ``(N,)``.
    """
    args, steps, own = agent.args, batch.steps, batch.own
    next_observations = agent.tensor(agent.states(steps.next_observations))
    following = agent.sac.state_values(next_observations, latents, agent.generator)
    goes_on = torch.from_numpy(~steps.terminated).to(agent.device)
    goals = (agent.tensor(batch.rewards) + args.gamma * torch.where(goes_on, following, 0.0)).repeat(2, 1)
    if args.relabelling in ("direct", "drae") and own < len(steps):
        others = slice(own, None)
        first = np.append(True, steps.ends[others][:-1])
        begin = own + np.flatnonzero(first)
        next_values = following[others].cpu().numpy()
        value = np.roll(next_values, 1)  # what a step begins with, the one before it in its stretch led to
        value[first] = agent.sac.state_values(observations[begin], latents[begin], agent.generator).cpu().numpy()
        trajectories = Trajectories(
            reward=batch.rewards[others],
            value=value,
            next_value=next_values,
            terminated=steps.terminated[others],
            ends=steps.ends[others],
        )
        q = agent.sac.slow_values(observations[others], agent.tensor(steps.actions[others]), latents[others])
        found = relabelled_values(
            args.relabelling,
            trajectories,
            q.cpu().numpy().astype(np.float64),
            gamma=args.gamma,
            policy_weight=weight(
                log_densities[others].cpu().numpy() - steps.log_densities[others], clip=args.policy_clip
            ),
            ratio=ratio_of(agent, batch),
        )
        goals[:, others] = agent.tensor(found)
    return goals


def ratio_of(agent: DRaT, batch: MetaBatch) -> DynamicsRatio | None:
    """Return how much likelier relabelled transitions are in the task they are given to; ``None`` where it is 1."""
    args, own = agent.args, batch.own
    if not args.classifies:
        return None
    tasks = torch.from_numpy(batch.tasks[batch.given[own:]]).to(agent.device)
    source = torch.from_numpy(batch.steps.source[own:]).to(agent.device)
    log_ratios = agent.classifiers.log_ratios(agent.features(batch.steps)[own:], source, tasks)
    return dynamics_ratio(log_ratios.cpu().numpy(), args.ratio, clip=args.clip)


def classify(agent: DRaT) -> torch.Tensor:
    """Take a gradient step of the classifiers on as many transitions of each task, and return the loss [nats]."""
    members, width = agent.args.members, CLASSIFIED * agent.tasks
    drawn = agent.memory.draw(np.arange(agent.tasks), members * CLASSIFIED, agent.random)
    by_member = agent.features(drawn).view(agent.tasks, members, CLASSIFIED, -1).transpose(0, 1)
    labels = torch.arange(agent.tasks, device=agent.device).repeat_interleave(CLASSIFIED).expand(members, width)
    return agent.classifiers.descend(by_member.flatten(1, 2), labels, agent.generator)


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def collect(agent: DRaT, lanes: Lanes) -> Episodes:
    """Play an episode of each task: by random actions at first, then in tasks drawn from prior and belief by turns."""
    args, played = agent.args, agent.memory.added
    seed = int(np.random.SeedSequence([args.seed, played]).generate_state(1)[0] // 2)
    if played < args.warmup_episodes:
        return play(lanes, _random(agent, lanes.action_size), horizon=args.horizon, seed=seed)
    belief = agent.infer([], agent.tasks)
    if played % 2:
        seen = agent.memory.draw(np.arange(agent.tasks), args.context_size, agent.random, recent=args.context_episodes)
        with torch.no_grad():
            belief = agent.believe(seen, agent.tasks)
    act = agent.actor(belief.sample(agent.generator), agent.generator)
    return play(lanes, act, horizon=args.horizon, seed=seed)


def _random(agent: DRaT, action_size: int) -> Act:
    """Return what acts uniformly at random."""
    density = np.full(agent.tasks, -action_size * np.log(2.0), np.float32)
    return lambda _: (agent.random.uniform(-1.0, 1.0, (agent.tasks, action_size)).astype(np.float32), density)


def learn(agent: DRaT, family: Family, steps: int) -> dict[str, float]:
    """Take the gradient steps that so many environment steps are worth, and return what to log."""
    args, report = agent.args, dict[str, torch.Tensor]()
    if agent.memory.added < args.warmup_episodes:
        return {}
    agent.owed += args.updates_per_step * steps
    if args.classifies and not agent.classifiers.updates:
        for _ in range(args.classifier_burst):
            classify(agent)
    while agent.owed >= 1.0:
        if args.classifies and agent.updates % args.classifier_every == 0:
            report["losses/classifiers"] = classify(agent)
        batch = draw_batch(
            agent.memory,
            family,
            tasks=args.tasks_per_update,
            size=args.batch_size,
            stretches=args.stretches,
            lookahead=args.lookahead,
            context=args.context_size,
            recent=args.context_episodes,
            generator=agent.random,
        )
        report |= update(agent, batch)
        agent.owed -= 1.0
    return {name: float(value) for name, value in report.items()}


def train(args: Args, family: Family) -> list[MetaEvaluation]:
    """Train on a family's tasks to the end, from the newest checkpoint if there is one, and return all meta-tests."""
    torch.set_num_threads(args.torch_threads)
    train_tasks = list(range(family.train))
    held_out = [family.train + task for task in range(family.test) for _ in range(args.eval_lanes)]
    with (
        closing(family.lanes(train_tasks, threads=args.threads)) as lanes,
        closing(family.lanes(held_out, threads=args.threads)) as tests,
    ):
        agent = DRaT(args, family.train, lanes.observation_size, lanes.action_size)
        kind = args.relabelling if args.context else f"no-context-{args.relabelling}"
        directory = args.out or Path("runs") / f"drat-{args.robot}-{kind}-{args.seed}"
        told = {"episodes": args.adaptation_episodes, "horizon": args.horizon}
        with MetaRun("drat", args, directory, agent, lambda: meta_test(agent, tests, **told)) as run:
            while run.unfinished:
                episodes = collect(agent, lanes)
                agent.remember(episodes)
                steps = int(episodes.lengths.sum())
                scalars = learn(agent, family, steps)
                earned = {
                    "charts/episodic_return": float(episodes.returns.mean()),
                    "charts/success": float((episodes.returns > 0.0).mean()),
                }
                run.advance(steps, {**earned, **scalars})
    return run.results


def main(args: Args) -> list[MetaEvaluation]:
    """Train to the end, from the newest checkpoint if there is one, and return all meta-tests.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """
    return train(args, args.family())


if __name__ == "__main__":
    run_script(main, Args)
