"""The datasets of a cell: built, and relabelled by DARA, where they are not there yet."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from transreward_baselines.benchmark.dara.cells import AUGMENTED, FINE_TUNED, PLAIN, Amount, Cell
from transreward_baselines.data import BuildArgs, build
from transreward_baselines.offline.args import SEED
from transreward_baselines.offline.data import JOIN
from transreward_envs import get_pair
from transreward_envs.pairs import Role
from transreward_wrappers.darc.offline import data_of, relabel_source_by_seeds
from transreward_wrappers.datasets import Dataset, DatasetError, datasets_root, load_dataset

TENTH = 10
"""Of the target's full data, 1T is one part in so many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sets:
    """The datasets of a cell.

    Every seed has classifiers of its own, and a source dataset that they relabelled, as if it had been trained alone:
    what differs between seeds is then all that chance decides.
    """

    cell: Cell
    size: int | None
    """Transitions of 10T, and of 10S; those of :class:`BuildArgs` when left out."""

    eta: float
    """DARA's weight."""

    classifier_updates: int
    """Gradient steps of DARA's classifiers."""

    root: Path | None = None
    """Folder of all datasets; Minari's when left out."""

    threads: int = 0
    """Threads that step the lanes; all CPUs when 0."""

    @property
    def full(self) -> BuildArgs:
        """The target's full dataset, 10T."""
        return self._args("target", self.size)

    @property
    def tenth(self) -> BuildArgs:
        """A target dataset a tenth as long, 1T."""
        return self._args("target", max((self.size or self.full.usual_size) // TENTH, 1))

    @property
    def source(self) -> BuildArgs:
        """The source's full dataset, 10S."""
        return self._args("source", self.size)

    @property
    def relabelled(self) -> str:
        """Id of the source's dataset with DARA's rewards, with a place for the seed."""
        of = {"target": self.tenth.id, "eta": self.eta, "updates": self.classifier_updates}
        digest = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:8]
        return re.sub(r"(-v\d+)$", rf"-dara-{digest}-seed{SEED}\1", self.source.id)

    def data(self, amount: Amount) -> str:
        """Return the datasets of an amount, joined; those that come last where policies learn from two in turn."""
        parts = {
            "10T": [self.full.id],
            "1T": [self.tenth.id],
            FINE_TUNED: [self.tenth.id],
            PLAIN: [self.tenth.id, self.source.id],
            AUGMENTED: [self.tenth.id, self.relabelled],
        }
        return JOIN.join(parts[amount])

    def require_size(self, amounts: Sequence[Amount]) -> None:
        """Raise ``ValueError`` where the shortest of the datasets that amounts need is shorter than an episode.

        One that is longer may still be too short for all the policies that act in it; building it shows that.
        """
        whole = set(amounts) == {"10T"}
        shortest = self.full if whole else self.tenth
        size, episode = shortest.size or shortest.usual_size, get_pair(self.cell.pair).max_episode_steps("target")
        if size < episode:
            needed = episode if whole else TENTH * episode
            raise ValueError(
                f"The shortest dataset of {self.cell} must be as long as an episode, {episode} steps; got {size}, of "
                f"`size` {self.size}. Give a `size` of {needed} or more."
            )

    def build(self, amount: Amount, seeds: Sequence[int]) -> None:
        """Build what an amount needs and is not there yet.

        Raises:
            ValueError: A domain has no policy of that quality, or a dataset would be shorter than an episode.
            DatasetError: A dataset that is there is another one.
            OSError: There is no room, or no right to write.
        """
        if amount == "10T":
            build(self.full)
            return
        try:
            tenth = build(self.tenth)
        except ValueError as error:
            raise ValueError(f"1T is a tenth of `--size`, {self.size or 'as it is when left out'}. {error}") from error
        if amount != "1T":
            source = build(self.source)
            if amount == AUGMENTED:
                self._relabel(source, tenth, seeds)

    def _args(self, domain: Role, size: int | None) -> BuildArgs:
        quality, shared = self.cell.quality, {"root": self.root, "threads": self.threads}
        return BuildArgs(pair=self.cell.pair, domain=domain, quality=quality, size=size, **shared)  # type: ignore[arg-type]

    def _relabel(self, source: Dataset, target: Dataset, seeds: Sequence[int]) -> None:
        """Give the source's data the rewards of each seed's classifiers; of several processes, the others wait."""
        names = {seed: self.relabelled.replace(SEED, str(seed)) for seed in seeds}
        directories = {seed: (self.root or datasets_root()) / name for seed, name in names.items()}
        place = next(iter(directories.values())).parent
        with FileLock(place / f".{self.relabelled.rpartition('/')[2].replace(SEED, '')}.lock"):
            missing = {seed: directory for seed, directory in directories.items() if not directory.exists()}
            if missing:
                settings, updates = {"eta": self.eta}, self.classifier_updates
                relabel_source_by_seeds(source, target, missing, names, updates=updates, settings=settings)
        expected = data_of(source, target)
        for directory in directories.values():
            if load_dataset(directory).about.get("compensation", {}).get("data") != expected:
                raise DatasetError(
                    f"{directory} was relabelled from other data than those of {source.directory} and of "
                    f"{target.directory}, as they are now. Delete it to have it made again."
                )
