"""What every meta-learner here can be told: its tasks, how long it learns, and how it is tested."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from transreward_baselines.meta.family import Family, draw_family
from transreward_envs.errors import require_count, unknown


@dataclass(frozen=True, kw_only=True)
class MetaArgs:
    """What every meta-learner here can be told.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown or a number breaks its rule.
    """

    suite: str = "sparse"
    """Suite of whose pairs the tasks are drawn."""

    robot: str = "HalfCheetah"
    """Robot of the tasks."""

    train_tasks: int = 20
    """Tasks that are learned from; two at least."""

    test_tasks: int = 10
    """Tasks that are held out for meta-tests."""

    task_seed: int = 0
    """Of the draw of tasks, so that runs of all seeds have the same."""

    horizon: int = 200
    """Time limit of an episode [steps]."""

    distance: float | None = 3.0
    """From the start to where reward begins [m]; the suite's when `None`, which is for its longer episodes."""

    distance_spread: float = 1.0
    """A task's distance is up to so many times farther or nearer; 1 for the same in all tasks [-]."""

    stretch: float = 1.0
    """Power to which tasks' factors of mass and friction are raised; at 1 they are as far apart as the suite's [-]."""

    total_steps: int = 400_000
    """Environment steps of all tasks together."""

    seed: int = 1
    """Of networks, batches, actions and episodes."""

    out: Path | None = None
    """Directory of the run; `runs/<script>-<robot>-<seed>` when left out."""

    adaptation_episodes: int = 3
    """Episodes of adaptation to each held-out task in a meta-test."""

    eval_lanes: int = 2
    """Lanes of each held-out task in a meta-test: each adapts by itself."""

    eval_every: int = 50_000
    """Environment steps between two meta-tests."""

    checkpoint_every: int = 200_000
    """Environment steps between two checkpoints."""

    threads: int = 1
    """Threads that step the lanes; all CPUs when 0."""

    torch_threads: int = 1
    """Threads of PyTorch."""

    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Of the networks, which are so small that a CPU does; `auto` is the GPU if there is one."""

    quiet: bool = False
    """Show neither a progress bar nor meta-tests."""

    def __post_init__(self) -> None:
        for name in ("seed", "threads", "adaptation_episodes"):
            require_count(name, getattr(self, name))
        for name in ("total_steps", "eval_lanes", "eval_every", "checkpoint_every", "torch_threads"):
            require_count(name, getattr(self, name), at_least=1)
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(unknown("device", self.device, ("auto", "cpu", "cuda")))
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("`device` can be 'cuda' where PyTorch finds a GPU; it finds none. Use 'cpu' or 'auto'.")
        self.family()

    def family(self) -> Family:
        """Return the tasks."""
        return draw_family(
            self.suite,
            self.robot,
            train=self.train_tasks,
            test=self.test_tasks,
            horizon=self.horizon,
            distance=self.distance,
            distance_spread=self.distance_spread,
            stretch=self.stretch,
            seed=self.task_seed,
        )

    def torch_device(self) -> torch.device:
        """Return the device of the networks."""
        chosen = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        return torch.device(chosen)
