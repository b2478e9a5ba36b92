"""PEARL's agent: a context encoder, and SAC in latent tasks (Rakelly et al., 2019, arXiv:1903.08254)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from transreward_baselines.devices import torch_device
from transreward_baselines.lanes import Array
from transreward_baselines.meta.actor_critic import LatentActorCritic
from transreward_baselines.meta.args import MetaArgs
from transreward_baselines.meta.encoder import ContextEncoder, Posterior, prior
from transreward_baselines.meta.episodes import Act, Episodes, Rows
from transreward_baselines.meta.memory import EpisodeMemory, Steps
from transreward_wrappers.networks import seeded
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)

FIRST_TEMPERATURE = 0.1
"""Where it is learned [reward / nat]: rewards are of at most 1 a step."""


class MetaAgent:
    """What infers tasks, and acts and values in them; episodes to learn from, and random numbers.

    Args:
        args: What the script was told.
        tasks: Number of tasks to learn from.
        observation_size: Length of an observation.
        action_size: Length of an action.
    """

    def __init__(self, args: MetaArgs, tasks: int, observation_size: int, action_size: int) -> None:
        self.args, self.tasks, self.device = args, tasks, torch_device(args.device)
        self.latent_size = args.latent_size if args.context else 0
        pair_size = observation_size + action_size
        with seeded(args.seed):
            self.sac = LatentActorCritic(
                observation_size,
                action_size,
                latent_size=self.latent_size,
                hidden=args.hidden,
                temperature=args.temperature or FIRST_TEMPERATURE,
            ).to(self.device)
            width = pair_size + observation_size + 1
            self.encoder = ContextEncoder(width, args.hidden, self.latent_size or 1).to(self.device)
        learned: dict[str, list[nn.Parameter]] = {
            "critics": [*self.sac.critics.parameters(), *(self.encoder.parameters() if args.context else ())],
            "policy": list(self.sac.policy.parameters()),
            "temperature": [self.sac.log_temperature],
        }
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(parameters, lr=args.learning_rate, fused=True)
            for name, parameters in learned.items()
        }
        self.states, self.changes = RunningNormalizer(observation_size), RunningNormalizer(observation_size)
        self.memory = EpisodeMemory(tasks, args.memory_episodes, args.horizon, observation_size, action_size)
        self.random = np.random.default_rng(args.seed)
        self.generator = torch.Generator().manual_seed(args.seed)
        self.owed, self.updates = 0.0, 0

    def infer(self, episodes: Sequence[Episodes], tasks: int) -> Posterior:
        """Return what is believed of so many tasks after episodes of them; the prior after none."""
        if not episodes or not self.latent_size:
            return prior(tasks, self.latent_size, self.device)
        parts = [
            self.context(one.observations[:, :-1], one.actions, one.rewards, one.observations[:, 1:])
            for one in episodes
        ]
        mask = torch.from_numpy(np.concatenate([one.mask for one in episodes], axis=1)).to(self.device)
        with torch.no_grad():
            belief: Posterior = self.encoder(torch.cat(parts, dim=1), mask)
        return belief

    def believe(self, seen: Steps, tasks: int) -> Posterior:
        """Return what is believed after as many transitions of each of so many tasks, task by task, with gradients."""
        if not self.latent_size:
            return prior(tasks, 0, self.device)
        context = self.context(seen.observations, seen.actions, seen.rewards, seen.next_observations)
        belief: Posterior = self.encoder(context.view(tasks, -1, context.shape[-1]))
        return belief

    def actor(self, latents: torch.Tensor, generator: torch.Generator | None) -> Act:
        """Return what acts in latent tasks, each lane in one: by chance as a generator has it, or deterministically."""

        @torch.no_grad()
        def act(observations: Array) -> tuple[Rows, Rows]:
            law = self.sac.law(self.tensor(self.states(observations.astype(np.float32))), latents)
            if generator is None:
                return law[0].tanh().cpu().numpy(), np.zeros(len(observations), np.float32)
            actions, _ = self.sac.draw(law, generator)
            log_densities = self.sac.log_density(law, actions)  # as later ones, which know no more than the action
            return actions.cpu().numpy(), log_densities.cpu().numpy()

        return act

    def context(self, observations: Rows, actions: Rows, rewards: Rows, next_observations: Rows) -> torch.Tensor:
        """Return what the encoder is shown of transitions, ``(B, n, ...)`` each, as ``(B, n, transition_size)``."""
        states, changes = self.states(observations), self.changes(next_observations - observations)
        return self.tensor(np.concatenate([states, actions, rewards[..., None], changes], axis=-1))

    def tensor(self, rows: Any) -> torch.Tensor:
        """Return rows as a tensor of the networks' kind."""
        return torch.as_tensor(np.asarray(rows, dtype=np.float32), device=self.device)

    def remember(self, episodes: Episodes) -> None:
        """Keep an episode of each task."""
        mask = episodes.mask
        began, led_to = episodes.observations[:, :-1][mask], episodes.observations[:, 1:][mask]
        self.states.observe(began)
        self.changes.observe(led_to - began)
        self.memory.add(episodes)

    def files(self) -> tuple[dict[str, Tensors], dict[str, Any]]:
        """Return all that training changes."""
        tensors = {**self._parts(), "generator": self.generator.get_state()}
        about = {"owed": self.owed, "updates": self.updates, "random": self.random.bit_generator.state}
        return {"agent": tensors, "memory": self.memory.tensors()}, about

    def load(self, files: Mapping[str, Tensors], about: Mapping[str, Any]) -> None:
        """Put back what :meth:`files` returned."""
        tensors = files["agent"]
        self.sac.load_state_dict(without_prefix("sac", tensors))
        self.encoder.load_state_dict(without_prefix("encoder", tensors))
        for part in ("states", "changes"):
            getattr(self, part).load_tensors(without_prefix(part, tensors))
        for name, optimizer in self.optimizers.items():
            load_optimizer_tensors(optimizer, without_prefix(f"optimizer-{name}", tensors))
        self.generator.set_state(tensors["generator"])
        self.random.bit_generator.state = about["random"]
        self.owed, self.updates = float(about["owed"]), int(about["updates"])
        self.memory.load(files["memory"])

    def _parts(self) -> Tensors:
        tensors = {
            **with_prefix("sac", self.sac.state_dict()),
            **with_prefix("encoder", self.encoder.state_dict()),
            **with_prefix("states", self.states.tensors()),
            **with_prefix("changes", self.changes.tensors()),
        }
        for name, optimizer in self.optimizers.items():
            tensors |= with_prefix(f"optimizer-{name}", optimizer_tensors(optimizer))
        return tensors
