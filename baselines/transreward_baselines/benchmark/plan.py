"""The plan of a benchmark: what runs there are to be, and the file in its directory that says so."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from transreward_baselines.benchmark.contenders import Contender
from transreward_baselines.benchmark.job import Job
from transreward_baselines.benchmark.terms import Terms
from transreward_baselines.run_directory import RunDirectoryError, require_folder
from transreward_envs import Pair
from transreward_wrappers.storage import write_json

FILE = "benchmark.json"
RUNS = "runs"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every contender in every pair, with every agent and seed, on the same terms.

    Raises:
        TypeError: A setting of a contender is not of its kind.
        ValueError: A contender cannot train in a pair, or not on these terms.
    """

    terms: Terms
    pairs: tuple[Pair, ...]
    contenders: tuple[Contender, ...]
    agents: tuple[str, ...]
    seeds: tuple[int, ...]

    sweeps: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of the pairs that are of a sweep, by its shift, the value."""

    imports: tuple[str, ...] = ()
    """Modules that register what the runs need."""

    def __post_init__(self) -> None:
        for contender in self.contenders:
            for pair in self.pairs:
                contender.check(pair)
                contender.budget(self.terms, pair)

    def jobs(self, directory: Path) -> Iterator[Job]:
        """Yield the runs, seed by seed, so that an unfinished benchmark has a bit of everything."""
        for seed in self.seeds:
            for pair in self.pairs:
                for agent in self.agents:
                    for contender in self.contenders:
                        yield Job(
                            pair=pair,
                            contender=contender,
                            agent=agent,
                            seed=seed,
                            terms=self.terms,
                            runs=directory / RUNS,
                            imports=self.imports,
                        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        return {
            "format": FORMAT,
            "terms": dataclasses.asdict(self.terms),
            "pairs": {pair.name: pair.to_json() for pair in self.pairs},
            "methods": [contender.name for contender in self.contenders],
            "agents": list(self.agents),
            "seeds": list(self.seeds),
            "sweeps": {shift: dict(values) for shift, values in self.sweeps.items()},
        }


def claim(directory: Path, plan: Plan) -> None:
    """Make a directory a benchmark's, or add what is new to the plan that is there.

    Raises:
        RunDirectoryError: The directory's runs are on other terms or of other pairs of these names, or it holds other
            files.
    """
    require_folder(directory)
    path, ours = directory / FILE, plan.to_json()
    if not path.exists() and directory.exists() and any(directory.glob("[!.]*")):
        raise RunDirectoryError(
            f"A new benchmark needs an empty directory; {directory} holds files and no {FILE}. Choose another `--out`."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / ".benchmark.lock"):
        theirs = read_plan(directory) if path.exists() else ours
        _require_agreement(directory, ours, theirs)
        merged = {name: _union(theirs[name], ours[name]) for name in ("pairs", "methods", "agents", "seeds")}
        shifts = _union(list(theirs["sweeps"]), list(ours["sweeps"]))
        sweeps = {one: _union(theirs["sweeps"].get(one, {}), ours["sweeps"].get(one, {})) for one in shifts}
        write_json(path, {**theirs, **merged, "sweeps": sweeps})


def read_plan(directory: Path) -> dict[str, Any]:
    """Return the plan of a benchmark's directory, as JSON types.

    Raises:
        RunDirectoryError: It has none that can be read.
    """
    path = directory / FILE
    try:
        content: dict[str, Any] = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RunDirectoryError(f"{path} is not a benchmark's plan: {error}") from error
    if content.get("format") != FORMAT:
        raise RunDirectoryError(f"{path} is of format {content.get('format')!r}; this version reads {FORMAT}.")
    return content


def _require_agreement(directory: Path, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raise unless two plans have the same terms, and mean the same by the names of pairs."""
    differences = [
        f"{name}: {theirs['terms'].get(name)!r} there, {value!r} asked for"
        for name, value in ours["terms"].items()
        if theirs["terms"].get(name) != value
    ]
    differences += [
        f"the pair {name!r} is another one"
        for name, pair in ours["pairs"].items()
        if theirs["pairs"].get(name, pair) != pair
    ]
    if differences:
        raise RunDirectoryError(
            f"All runs of a benchmark are on the same terms; {directory} has others ({'; '.join(differences)}). Choose "
            "another `--out`, or delete it."
        )


def _union(theirs: Any, ours: Any) -> Any:
    """Return what is in either, of dictionaries or of lists."""
    return {**theirs, **ours} if isinstance(theirs, dict) else list(dict.fromkeys([*theirs, *ours]))
