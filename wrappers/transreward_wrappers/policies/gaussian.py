"""Policies as data: small networks that need nothing but NumPy to act, and files that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_envs.errors import unknown
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import MADE_AGAIN, Tensors, load_tensors, save_tensors, with_prefix, without_prefix

Array = NDArray[np.float32]
FORMAT = 1
"""Of a policy's file; a reader refuses what is newer than itself."""

EPSILON = 1e-8
MOST_LOG_STD = 3.0
"""Beyond, actions are uniform to all purposes, and hard to draw."""

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": lambda hidden: np.maximum(hidden, 0.0), "tanh": np.tanh}
SQUASHES: dict[str, Callable[[Array], Array]] = {"clip": lambda means: np.clip(means, -1.0, 1.0), "tanh": np.tanh}


class NotAPolicyError(ValueError):
    """A file is none of a policy, or of a policy of another format."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianPolicy:
    """A Gaussian around what a small network says, truncated to the bounds of actions.

        a ~ N(m(o), diag(exp(log_std))^2) given that -1 <= a <= 1,    m(o) = squash(network(normalise(o)))

    Actions are in ``[-1, 1]``. Truncation, unlike clipping, leaves a density everywhere, so that the probability of
    every action is known to methods that weigh data by it.

    Args:
        weights: Of the layers, as ``(outputs, inputs)`` each.
        biases: Of the layers, as ``(outputs,)`` each.
        activation: Between layers, ``relu`` or ``tanh``.
        squash: Of the last layer, ``clip`` or ``tanh``.
        log_std: Of the Gaussian, as ``(action_size,)``.
        observation_mean: As ``(observation_size,)``.
        observation_variance: As ``(observation_size,)``.
        limit: Normalised observations are clipped to this many standard deviations; not at all when ``None``.
        about: JSON on where the policy comes from.

    Raises:
        ValueError: Sizes do not fit together, or a name is unknown.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activation: str
    squash: str
    log_std: Array
    observation_mean: NDArray[np.float64]
    observation_variance: NDArray[np.float64]
    limit: float | None = 10.0
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(unknown("activation", self.activation, ACTIVATIONS))
        if self.squash not in SQUASHES:
            raise ValueError(unknown("squash", self.squash, SQUASHES))
        if self.limit is not None and not 0.0 < float(self.limit) < np.inf:
            raise ValueError(f"`limit` must be a finite number > 0, or None; got {self.limit!r}.")
        if not isinstance(self.about, Mapping):
            raise TypeError(f"`about` must be a mapping; got {self.about!r}.")
        fits = [
            len(self.weights) == len(self.biases) > 0,
            all(weight.ndim == 2 for weight in self.weights),
            all(weight.shape[:1] == bias.shape for weight, bias in zip(self.weights, self.biases, strict=False)),
            all(later.shape[1:] == before.shape[:1] for before, later in pairwise(self.weights)),
        ]
        if not all(fits) or self.log_std.shape != (self.action_size,):
            shapes = [weight.shape for weight in self.weights], [bias.shape for bias in self.biases]
            raise ValueError(f"The layers of a policy must fit together, and with `log_std`; got {shapes}.")
        arrays = (*self.weights, *self.biases, self.log_std, self.observation_mean, self.observation_variance)
        if not all(bool(np.isfinite(np.asarray(array)).all()) for array in arrays):
            raise ValueError("The weights and statistics of a policy must be finite; some of these are not.")
        if self.log_std.max() > MOST_LOG_STD:
            raise ValueError(f"`log_std` must be at most {MOST_LOG_STD}; got {self.log_std.max():.1f}. Clip it.")
        if {self.observation_mean.shape, self.observation_variance.shape} != {(self.observation_size,)}:
            raise ValueError("The statistics of observations must have the size of the first layer's input.")
        if self.observation_variance.min() < 0.0:
            raise ValueError(f"`observation_variance` must be at least 0; got {self.observation_variance.min()}.")

    @property
    def observation_size(self) -> int:
        """Return the size of observations."""
        return int(self.weights[0].shape[1])

    @property
    def action_size(self) -> int:
        """Return the size of actions."""
        return int(self.weights[-1].shape[0])

    def __call__(self, observations: NDArray[Any]) -> Array:
        """Return the deterministic actions for observations as ``(B, observation_size)``, as ``(B, action_size)``."""
        scaled = (observations - self.observation_mean) / np.sqrt(self.observation_variance + EPSILON)
        if self.limit is not None:
            scaled = np.clip(scaled, -self.limit, self.limit)
        hidden = scaled.astype(np.float32)
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = (ACTIVATIONS[self.activation](hidden) if index else hidden) @ weight.T + bias
        actions: Array = SQUASHES[self.squash](hidden)
        return actions

    def sample(self, observations: NDArray[Any], generator: np.random.Generator) -> tuple[Array, NDArray[np.float64]]:
        """Return drawn actions as ``(B, action_size)``, and their log-densities as ``(B,)``."""
        means, deviations = self(observations).astype(np.float64), np.exp(self.log_std.astype(np.float64))
        actions = means + deviations * generator.standard_normal(means.shape)
        while (beyond := np.abs(actions) > 1.0).any():
            redrawn = means + deviations * generator.standard_normal(means.shape)
            actions = np.where(beyond, redrawn, actions)
        kept = actions.astype(np.float32)
        return kept, self._log_densities(means, kept)

    def log_densities(self, observations: NDArray[Any], actions: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-densities of actions in ``[-1, 1]``, as ``(B,)``."""
        return self._log_densities(self(observations).astype(np.float64), actions)

    def _log_densities(self, means: NDArray[np.float64], actions: NDArray[Any]) -> NDArray[np.float64]:
        log_std = self.log_std.astype(np.float64)
        inverse = np.exp(-log_std)
        gaussian = -0.5 * ((actions - means) * inverse) ** 2 - log_std - 0.5 * np.log(2.0 * np.pi)
        within = _normal_distribution((1.0 - means) * inverse) - _normal_distribution((-1.0 - means) * inverse)
        total: NDArray[np.float64] = (gaussian - np.log(within)).sum(axis=-1)
        return total

    def padded(self, observation_size: int, *, front: int = 0) -> Self:
        """Return the same policy for longer observations, such as those that end in past actions: it ignores the rest.

        Args:
            observation_size: Of the longer observations.
            front: How many of the features that it ignores come first, such as positions.

        Raises:
            ValueError: Observations would be shorter.
        """
        surplus = observation_size - self.observation_size
        if surplus < front:
            raise ValueError(
                f"A policy needs observations of its own size, {self.observation_size}, or longer ones; got "
                f"{observation_size}."
            )
        around = (front, surplus - front)
        return replace(
            self,
            weights=(np.pad(self.weights[0], ((0, 0), around)), *self.weights[1:]),
            observation_mean=np.pad(self.observation_mean, around),
            observation_variance=np.pad(self.observation_variance, around, constant_values=1.0),
        )

    def tensors(self) -> Tensors:
        """Return all arrays, in half precision but for the statistics of observations."""
        layers = {f"{i}.weight": torch.from_numpy(weight).half() for i, weight in enumerate(self.weights)}
        layers |= {f"{i}.bias": torch.from_numpy(bias).half() for i, bias in enumerate(self.biases)}
        rest = {
            "log_std": torch.from_numpy(self.log_std).half(),
            "observations.mean": torch.from_numpy(self.observation_mean),
            "observations.variance": torch.from_numpy(self.observation_variance),
        }
        return {**with_prefix("layers", layers), **rest}

    def as_saved(self) -> Self:
        """Return the policy that a file would give back: its weights are rounded to half precision."""
        return self.from_tensors(self.tensors(), self.settings())

    def save(self, path: Path | str) -> None:
        """Write the policy to a file."""
        save_tensors(path, self.tensors(), self.settings())

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Return the policy that a file holds.

        Raises:
            FileNotFoundError: There is no such file.
            NotAPolicyError: It is not a policy's, or of a newer format.
        """
        try:
            tensors, settings = load_tensors(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"A policy is read from a file; there is no {path}. Check the path.") from error
        except CorruptFileError as error:
            raise NotAPolicyError(
                f"A policy is a safetensors file that was saved by `GaussianPolicy.save`; {path} is none, or damaged "
                f"({str(error).removesuffix(MADE_AGAIN).strip()}). Give another, or have it made again: transreward "
                "policies train."
            ) from error
        if settings.get("kind") != "policy":
            raise NotAPolicyError(f"A policy's file says so in its metadata; {path} is of {settings.get('kind')!r}.")
        if settings.get("format") != FORMAT:
            raise NotAPolicyError(
                f"A policy's format must be {FORMAT}; {path} has {settings.get('format')!r}. "
                "Use the version of transreward-envs that wrote it."
            )
        try:
            return cls.from_tensors(tensors, settings)
        except (KeyError, ValueError, TypeError) as error:
            raise NotAPolicyError(f"{path} says that it is a policy, but lacks what one has: {error}") from error

    def digest(self) -> str:
        """Return what tells these weights from all others."""
        digest = hashlib.sha256()
        for _, tensor in sorted(self.tensors().items()):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def key(self) -> dict[str, Any]:
        """Return what tells how this policy acts from how all others do, as JSON types."""
        acts = {name: value for name, value in self.settings().items() if name != "about"}
        return {**acts, "weights": self.digest()}

    def settings(self) -> dict[str, Any]:
        """Return what there is besides the arrays, as JSON types."""
        return {
            "kind": "policy",
            "format": FORMAT,
            "activation": self.activation,
            "squash": self.squash,
            "limit": self.limit,
            "about": dict(self.about),
        }

    @classmethod
    def from_tensors(cls, tensors: Tensors, settings: Mapping[str, Any]) -> Self:
        """Return the policy of which :meth:`tensors` and :meth:`settings` told."""
        layers = {name: tensor.float().numpy() for name, tensor in without_prefix("layers", tensors).items()}
        count = len(layers) // 2
        return cls(
            weights=tuple(layers[f"{i}.weight"] for i in range(count)),
            biases=tuple(layers[f"{i}.bias"] for i in range(count)),
            activation=settings["activation"],
            squash=settings["squash"],
            limit=settings["limit"],
            log_std=tensors["log_std"].float().numpy(),
            observation_mean=tensors["observations.mean"].numpy(),
            observation_variance=tensors["observations.variance"].numpy(),
            about=settings["about"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class UniformPolicy:
    """Draws actions in ``[-1, 1]`` uniformly, whatever it observes."""

    action_size: int
    """Size of actions."""

    def __call__(self, observations: NDArray[Any]) -> Array:
        """Return the mean actions, as ``(B, action_size)``."""
        return np.zeros((len(observations), self.action_size), dtype=np.float32)

    def sample(self, observations: NDArray[Any], generator: np.random.Generator) -> tuple[Array, NDArray[np.float64]]:
        """Return drawn actions as ``(B, action_size)``, and their log-densities as ``(B,)``."""
        shape = (len(observations), self.action_size)
        return generator.uniform(-1.0, 1.0, shape).astype(np.float32), np.full(
            shape[0], -self.action_size * np.log(2.0)
        )


def _normal_distribution(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal's distribution function."""
    result: NDArray[np.float64] = torch.special.ndtr(torch.from_numpy(values)).numpy()
    return result
