"""What acts in the latent states of a world model: the model, and an actor in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from transreward_baselines.evaluation import Policy
from transreward_baselines.parts.latent_models import PixelModel, Sizes, StateModel
from transreward_baselines.parts.squashed import squashed_log_density, within
from transreward_wrappers.networks import silu_mlp
from transreward_wrappers.storage import load_tensors, save_tensors

LOG_STD_LIMITS = (-5.0, 1.0)


class Player(nn.Module):
    """A world model, and an actor in it: all that acting takes."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.model = PixelModel(sizes) if sizes.pixels else StateModel(sizes)
        self.actor = silu_mlp(self.model.state_size, sizes.hidden, sizes.hidden, 2 * sizes.action)

    @torch.no_grad()
    def see(self, state: torch.Tensor | None, action: torch.Tensor | None, observations: Any) -> torch.Tensor:
        """Return the states of lanes after an action, or at their beginning, as ``(B, state_size)``."""
        device = next(self.parameters()).device
        seen = torch.as_tensor(np.asarray(observations, dtype=np.float32), device=device).flatten(1)
        if state is None or action is None:
            return self.model.infer(seen[:, None], None)
        latent, _ = self.model.see(self.model.scales.normalise(seen))
        return torch.cat([self.model.step(state, action)[:, : self.sizes.belief], latent], dim=-1)

    def law(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and log-deviations of actions before squashing, as ``(n, action_size)`` each."""
        means, raw = self.actor(states).chunk(2, dim=-1)
        return means, within(raw, LOG_STD_LIMITS)

    def draw(self, states: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return drawn actions as ``(n, action_size)``, and their log-densities as ``(n,)``."""
        means, log_std = self.law(states)
        noise = torch.randn(means.shape, generator=generator, device=means.device)
        before = means + log_std.exp() * noise
        return before.tanh(), squashed_log_density(noise, log_std, before)

    def begin(self) -> Policy:
        """Return what acts deterministically, in ``[-1, 1]``, in episodes that begin with what it is shown first."""
        state = action = None

        def act(observations: Any) -> Any:
            nonlocal state, action
            with torch.no_grad():
                state = self.see(state, action, observations)
                action = self.law(state)[0].tanh()
                return action.cpu().numpy()

        return act


@dataclass(frozen=True, kw_only=True)
class LatentPolicy:
    """A world model and an actor as data, with JSON on where they come from."""

    player: Player
    about: Mapping[str, Any]

    def begin(self) -> Policy:
        """Return what acts deterministically in episodes that begin with what it is shown first."""
        return self.player.begin()

    def save(self, path: Path) -> None:
        """Write it to a file."""
        save_tensors(path, self.player.state_dict(), {"dreamer": asdict(self.player.sizes), "about": dict(self.about)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: The file is damaged.
        """
        tensors, told = load_tensors(path)
        player = Player(Sizes(**told["dreamer"]))
        player.load_state_dict(tensors)
        return cls(player=player, about=told["about"])
