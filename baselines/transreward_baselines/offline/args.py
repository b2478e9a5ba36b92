"""What every offline script can be told, and which runs that means."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from transreward_baselines.devices import DeviceName, require_device
from transreward_envs import get_pair
from transreward_envs.errors import require_count, require_non_negative, require_share

SEED = "{seed}"
"""In the name of a dataset, stands for the run's own seed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OfflineRun:
    """One of the runs that train at once."""

    data: str
    """Its datasets, joined by ``+``."""

    seed: int
    """Of its networks, batches and noise."""


@dataclass(frozen=True, kw_only=True)
class OfflineArgs:
    """What every offline script can be told: each dataset is learnt from with each seed, all of these runs at once.

    Raises:
        TypeError: A number is not of its kind.
        ValueError: A name is unknown or a number breaks its rule.
    """

    pair: str
    """Name of the pair in whose target policies are evaluated."""

    data: tuple[str, ...]
    """Ids or folders of datasets; `<target's>+<source's>` for a run that learns from both together. `{seed}` in a name
    stands for the run's own seed."""

    seeds: tuple[int, ...] = (0,)
    """Of networks, batches and noise."""

    updates: int = 100_000
    """Gradient steps of every network."""

    finetune_steps: int = 0
    """Steps in the target after these, of each run, with a gradient step after each."""

    online_share: float = 0.5
    """Share of transitions from there in a batch by then."""

    exploration_noise: float = 0.1
    """Deviation of the noise on actions there, of policies that do not draw their own."""

    batch_size: int = 256
    """Transitions of a gradient step, in each run."""

    hidden: int = 256
    """Width of the two hidden layers of each network."""

    gamma: float = 0.99
    """Discount."""

    normalise: bool = True
    """Normalise observations by mean and deviation of each run's data."""

    eval_every: int = 10_000
    """Gradient steps between two evaluations, each followed by a checkpoint."""

    eval_episodes: int = 10
    """Episodes of an evaluation."""

    start: Path | None = None
    """Directory of runs of the same script and seeds, whose networks and normalisation these begin with."""

    out: Path | None = None
    """Directory of the runs; `runs/<script>-<pair>` when left out."""

    root: Path | None = None
    """Folder of all datasets; Minari's when left out."""

    device: DeviceName = "auto"
    """Of networks and data; `auto` is the GPU if there is one."""

    bfloat16: bool = False
    """Multiply matrices in bfloat16, where that is faster; weights stay in float32."""

    compile: bool = False
    """Compile the gradient step; pays on a GPU alone."""

    torch_threads: int = 1
    """Threads of PyTorch."""

    quiet: bool = False
    """Show neither a progress bar nor evaluations."""

    tell: bool = True
    """Tell of evaluations as they come."""

    def __post_init__(self) -> None:
        get_pair(self.pair)
        for name in ("data", "seeds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            if not getattr(self, name):
                raise ValueError(f"`{name}` must name one at least; got none.")
        for name in ("updates", "batch_size", "hidden", "eval_every", "eval_episodes", "torch_threads"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("finetune_steps", self.finetune_steps)
        require_non_negative("exploration_noise", self.exploration_noise)
        require_share("online_share", self.online_share)
        for seed in self.seeds:
            require_count("seeds", seed)
        if len(set(self.runs)) < len(self.runs):
            raise ValueError(f"Runs differ in data or seed; some of {self.data} with {self.seeds} are the same.")
        require_share("gamma", self.gamma)
        require_device(self.device)

    @property
    def runs(self) -> tuple[OfflineRun, ...]:
        """The runs, data by data."""
        named = product(self.data, self.seeds)
        return tuple(OfflineRun(data=data.replace(SEED, str(seed)), seed=seed) for data, seed in named)

    @property
    def keeps(self) -> tuple[str, ...]:
        """Settings that may change while runs of other scripts go on, but not while these do."""
        return ()

    @property
    def actions_each(self) -> int:
        """Actions for each transition of a batch in the largest pass that is learned from."""
        return 1

    def first_steps(self, given: int | None, *, share: int, most: int) -> int:
        """Return how many first gradient steps only imitate.

        Args:
            given: What was asked for, if anything; else none of runs that start from others, which have done them, and
            share: one in so many ``updates`` of all other runs,
            most: but so many at most.
        """
        if given is not None:
            return given
        return 0 if self.start is not None else min(self.updates // share, most)

    @property
    def total_updates(self) -> int:
        """Gradient steps offline and online together."""
        return self.updates + self.finetune_steps
