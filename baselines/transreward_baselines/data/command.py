"""``transreward data build``, ``recipe``, ``relabel``, ``list`` and ``export``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.table import Table

from transreward_baselines.console import console
from transreward_baselines.data.builder import BuildArgs, build
from transreward_baselines.data.export import export
from transreward_baselines.settings import parse_settings
from transreward_envs.errors import unknown
from transreward_wrappers.datasets import Dataset, DatasetError, datasets_root, folder_of, load_dataset
from transreward_wrappers.policies import GaussianPolicy

AMOUNTS = {"10T": (1.0, 0.0), "1T": (0.1, 0.0), "10S": (0.0, 1.0), "1T+10S": (0.1, 1.0)}
"""DARA's amounts (Liu et al. 2022, arXiv:2203.06662): the shares of a full target and of a full source set."""


@dataclass(frozen=True, kw_only=True)
class RecipeArgs(BuildArgs):
    """Which sets to build.

    Raises:
        ValueError: The amount is unknown.
    """

    domain: tyro.conf.Suppress[Any] = "target"

    amount: str = "1T+10S"
    """`10T`, `1T`, `10S` or `1T+10S`: a tenth of the target's full set, and all of the source's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.amount not in AMOUNTS:
            raise ValueError(unknown("amount", self.amount, AMOUNTS))


def build_dataset(args: BuildArgs) -> None:
    """Build one dataset from the shipped policies, unless it is there already.

    Args:
        args: Which one.
    """
    _report(build(args))


def build_recipe(args: RecipeArgs) -> None:
    """Build the datasets of one of DARA's amounts, such as a tenth of target data and all of the source's.

    Args:
        args: Which ones.
    """
    for dataset in recipe(args):
        _report(dataset)


def recipe(args: RecipeArgs) -> list[Dataset]:
    """Return the datasets of an amount, the target's first."""
    datasets = []
    for role, amount in zip(("target", "source"), AMOUNTS[args.amount], strict=True):
        if amount:
            plain = BuildArgs(pair=args.pair, domain=role, quality=args.quality)  # type: ignore[arg-type]
            whole = args.size or plain.usual_size
            one = replace(plain, size=int(amount * whole), seed=args.seed, root=args.root, threads=args.threads)
            try:
                datasets.append(build(one))
            except ValueError as error:
                told = f" The {role}'s share is {amount:g} of `size`, {whole}." if amount < 1.0 else ""
                raise ValueError(f"{error}{told}") from error
    return datasets


def relabel_dataset(
    source: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="SOURCE")]],
    target: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="TARGET")]],
    out: str | None = None,
    updates: int = 10_000,
    set: tuple[str, ...] = (),
    root: Path | None = None,
    method: Literal["dara", "drae"] = "dara",
    policy: str | None = None,
    clone: bool = False,
) -> None:
    """Give a source dataset the rewards of DARA or DRaE, by what is learned from it and from a target dataset.

    Args:
        source: Id or folder of the source's data.
        target: Id or folder of the target's.
        out: Id of the new dataset; the source's with `-dara` or `-drae` when left out.
        updates: Gradient steps of the classifiers, and of DRaE's V and Q.
        set: Settings of the method, such as `eta=0.1`.
        root: Folder of all datasets; Minari's when left out.
        method: `dara` or `drae`.
        policy: For DRaE, file of the policy whose values are to be learned, or `target` for one cloned from the
            target's data; that of the data's own policies when left out.
        clone: For DRaE, have the behaviour cloned of a dataset that lacks its actions' log-densities.
    """
    from transreward_wrappers.darc import offline as dara
    from transreward_wrappers.drae import offline as drae

    if method == "dara" and (policy is not None or clone):
        raise ValueError("Only DRaE weighs actions: `policy` and `clone` need `--method drae`.")
    data, other = load_dataset(source, root), load_dataset(target, root)
    given = str(data.metadata.get("dataset_id", data.directory.name))
    name = out or re.sub(r"(-v\d+)?$", lambda version: f"-{method}{version[1] or '-v0'}", given, count=1)
    folder = folder_of(name, root)
    common: dict[str, Any] = {"name": name, "updates": updates, "settings": parse_settings(set)}
    if method == "dara":
        new = dara.relabel_source(data, other, folder, **common)
    else:
        ratio = drae.PolicyRatio(policy=_policy(policy, other), clone=clone)
        new = drae.relabel_source(data, other, folder, ratio=ratio, **common)
    told = ", ".join(f"{key.replace('_', ' ')} {value:.2f}" for key, value in _accuracies(new).items())
    print(f"{name}: {new.total_steps:,} transitions in {folder}; on held-out data, {told or 'too few to judge by'}.")


def _policy(given: str | None, target: Dataset) -> GaussianPolicy | None:
    """Return the policy that a word means."""
    from transreward_wrappers.drae.offline import clone_behaviour

    if given is None:
        return None
    return clone_behaviour(target) if given == "target" else GaussianPolicy.load(Path(given))


def _accuracies(dataset: Dataset) -> dict[str, float]:
    return {key: value for key, value in dataset.about["compensation"].items() if key.startswith("accuracy")}


def list_datasets(root: Path | None = None) -> None:
    """List the datasets that are on this machine, public ones too.

    Args:
        root: Folder of all datasets; Minari's when left out.
    """
    folder = root or datasets_root()
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder}. Build a dataset: transreward data build; or give `--root`."
        )
    table = Table(title=f"Datasets in {folder}", box=None)
    for column in ("id", "episodes", "transitions", "mean return", "MB"):
        table.add_column(column, justify="left" if column == "id" else "right")
    for path in sorted(folder.glob("**/data/metadata.json")):
        name = path.parent.parent.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue  # not finished
        try:
            dataset = Dataset(path.parent.parent)
        except DatasetError as error:
            table.add_row(str(name), str(error))
            continue
        mean = dataset.about.get("return_mean")
        table.add_row(
            str(name),
            f"{dataset.total_episodes:,}",
            f"{dataset.total_steps:,}",
            "-" if mean is None else f"{mean:,.0f}",
            f"{dataset.metadata.get('dataset_size', 0.0):,.0f}",
        )
    console().print(table)


def export_dataset(
    dataset: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="DATASET")]], out: Path, root: Path | None = None
) -> None:
    """Write a dataset as one flat HDF5 file with D4RL's names, for d3rlpy and scripts in CORL's manner.

    Args:
        dataset: Its id, or its folder.
        out: The file.
        root: Folder of all datasets; Minari's when left out.
    """
    found = load_dataset(dataset, root)
    export(found, out)
    print(f"{found.total_steps:,} transitions are in {out}.")


def _report(dataset: Dataset) -> None:
    about = dataset.about
    mean = "no whole episode" if about["return_mean"] is None else f"mean return {about['return_mean']:,.0f}"
    print(
        f"{dataset.metadata['dataset_id']}: {dataset.total_steps:,} transitions, {dataset.total_episodes:,} episodes, "
        f"{mean}, {dataset.metadata['dataset_size']:,.0f} MB, in {dataset.directory}"
    )


COMMANDS: dict[str, Any] = {
    "build": build_dataset,
    "recipe": build_recipe,
    "relabel": relabel_dataset,
    "list": list_datasets,
    "export": export_dataset,
}
