"""MOPO, many runs at once: Yu et al. 2020 (arXiv:2005.13239), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.mopo --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

SAC on a twentieth of data and the rest imagined: branches of a few steps from the data's states, in an ensemble of
Gaussian world models, rewarded with r - lambda u, u the largest length of a member's deviations. A task ends in a
branch where the target's own does, which its observations tell. Deviations from the paper: observations are normalised;
fewer branches at a time; one that ends begins anew elsewhere; models are fitted for a fixed number of steps, of which
each member keeps the weights that predicted held-out data best, without decay or spectral norms; the target entropy is
-action_size. Runs of all datasets and seeds take each gradient step together, models too, along a leading axis R, and a
run's numbers are those that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.gaussian import SquashedGaussian
from transreward_baselines.offline.model_based import ModelArgs, WorldModels
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.script import run_script
from transreward_envs.errors import require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class Args(ModelArgs):
    """Settings of MOPO."""

    penalty: float = 1.0
    """Weight lambda of the uncertainty in imagined rewards; docs/offline.md has the paper's for each dataset."""

    tau: float = 0.005
    """Share by which target critics move after each step."""

    learning_rate: float = 3e-4
    """Of Adam, but for the models."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_non_negative("penalty", self.penalty)
        require_positive("learning_rate", self.learning_rate)
        require_share("tau", self.tau)


class MOPO:
    """World models, stochastic actors, their temperatures and twin critics of all runs, with the critics' targets."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        self.models = WorldModels(args, data, streams, penalty=args.penalty)
        self.actor = SquashedGaussian(seeds, [observation, hidden, hidden, action], name="actor")
        self.log_temperature = nn.Parameter(torch.zeros(len(seeds)))
        networks: dict[str, nn.Module] = {"models": self.models, "actor": self.actor}
        networks["temperature"] = nn.ParameterList([self.log_temperature])
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, 1], name="critics", members=2)
        self.networks = nn.ModuleDict(networks)
        self.networks["target_critics"].requires_grad_(False)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=args.learning_rate, fused=True)
            for name in ("actor", "temperature", "critics")
        }

    def prepare(self, directory: Path | None) -> None:
        """Fit the models, from what the directory keeps, if anything."""
        self.models.fit(directory)

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actors' squashed means, as ``(R, B, action_size)``."""
        return self.actor.mean_action(observations)

    def explore(self, observations: torch.Tensor, name: str = "explored") -> torch.Tensor:
        """Return drawn actions, as ``(R, B, action_size)``, by the streams of that name."""
        return self.actor.sample(observations, self.streams, name)[0]

    def values(self, name: str, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what both critics of each run say, as ``(R, 2, B)``."""
        return values_of(self.networks[name], observations, actions)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Imagine where it is time to, and take a step of the critics, the actors and the temperatures."""
        batch = self.models.mixed(batch, step, lambda seen: self.explore(seen, "imagined"))
        errors = self.values("critics", batch.observations, batch.actions) - self._targets(batch)[:, None]
        loss = 2.0 * per_run(errors.square())
        descend(self.optimizers["critics"], loss)
        figures = {"critics": loss.detach(), **self._improve(batch)}
        follow(self.networks["target_critics"], self.networks["critics"], self.args.tau)
        return figures

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma (min Q'(s', a') - alpha log pi(a' | s')), a' the policy's, as ``(R, B)``."""
        chosen, log_densities = self.actor.sample(batch.next_observations, self.streams, "target")
        following = self.values("target_critics", batch.next_observations, chosen).min(dim=1).values
        soft = following - self.log_temperature.exp()[:, None] * log_densities
        return batch.rewards + self.args.gamma * batch.bootstrap * soft

    def _improve(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take a step of the actors towards value and entropy, and one of the temperatures towards their target."""
        chosen, log_densities = self.actor.sample(batch.observations, self.streams, "actor")
        value = self.values("critics", batch.observations, chosen).min(dim=1).values
        temperature = self.log_temperature.detach().exp()
        loss = temperature * per_run(log_densities) - per_run(value)
        descend(self.optimizers["actor"], loss)
        excess = per_run(log_densities.detach()) - batch.actions.shape[-1]  # the target entropy is -action_size
        descend(self.optimizers["temperature"], -self.log_temperature * excess)
        return {"actor": loss.detach(), "temperature": temperature}


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("mopo", args, MOPO)


if __name__ == "__main__":
    run_script(main, Args)
