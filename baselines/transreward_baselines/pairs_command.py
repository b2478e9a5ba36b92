"""``transreward list`` and ``transreward show``: which pairs there are, and what one is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from transreward_baselines.console import console
from transreward_envs import METHODS, PAIRS, Pair, Shift, get_suite
from transreward_envs.errors import unknown
from transreward_envs.methods import training_methods
from transreward_envs.pairs import ROLES
from transreward_envs.pairs.pair import NAMESPACE, VERSION


def list_pairs(
    pattern: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="[PATTERN]")]] = "", suite: str | None = None
) -> None:
    """List the pairs, or those whose name contains a pattern.

    Args:
        pattern: Part of a name, such as `Hopper` or `gravity`.
        suite: List this suite alone, such as `odrl`.
    """
    pairs = list(PAIRS.values()) if suite is None else get_suite(suite)
    found = [pair for pair in pairs if pattern.lower() in pair.name.lower()]
    if not found:
        of_suite = "" if suite is None else f" of suite {suite!r}"
        raise ValueError(unknown(f"pair{of_suite}", pattern, [pair.name for pair in pairs]))
    table = Table(title=f"{len(found)} pairs", box=None)
    for column in ("pair", "source", "target", "suites"):
        table.add_column(column)
    for pair in found:
        table.add_row(pair.name, *(_describe(pair.shifts(role)) for role in ROLES), ", ".join(pair.suites))
    console().print(table)
    methods = ",".join(METHODS)
    across = ",".join(name for name, method in METHODS.items() if method.acts_in == "target")
    print(f"Ids: {NAMESPACE}/<pair>-{{source,target,{methods}}}-v{VERSION}; across robots, {{source,target,{across}}}.")


def show(
    id: tyro.conf.Positional[Annotated[str | None, tyro.conf.arg(metavar="[PAIR]")]] = None,
    classifier: Path | None = None,
    out: Path | None = None,
) -> None:
    """Show a pair: its ids, its spaces, every field in which the target's model differs, and which joints correspond.

    Args:
        id: A pair, or any id of it.
        classifier: Show instead how well the domain classifiers of the run in this directory do.
        out: The figure of that; `classifier.png` in the run's directory when left out.
    """
    if (id is None) == (classifier is None):
        raise ValueError("Name a pair to show, or a run's directory by `--classifier`; got both, or neither.")
    if id is not None:
        show_pair(id)
        return
    from transreward_baselines.classifier_report import show_classifier

    assert classifier is not None
    show_classifier(classifier, out)


def show_pair(name: str) -> None:
    """Print what a pair is."""
    from transreward_envs.differences import pair_differences

    pair = find_pair(name)
    print(f"{pair.name}\n  source: {_describe(pair.source)}\n  target: {_describe(pair.target)}")
    for role in ROLES if pair.source_robot else ROLES[:1]:
        with closing(pair.make(role)) as env:
            of_role = f" of the {role}" if pair.source_robot else ""
            print(f"  observation{of_role}: {env.observation_space}\n  action{of_role}: {env.action_space}")
    limits = ", ".join(f"{pair.max_episode_steps(role)} in the {role}" for role in ROLES)
    print(f"  time limit: {limits} [steps]\n  ids:")
    for suffix in (*ROLES, *training_methods(pair)):
        print(f"    {pair.id(suffix)}")
    table = Table(title="What differs", box=None)
    for column in ("field", "element", "source", "target", "unit", "kind"):
        table.add_column(column, justify="right" if column in ROLES else "left")
    for row in pair_differences(pair):
        kind = "derived" if row.derived else "shifted"
        table.add_row(row.field, row.element.replace("[", r"\["), row.source, row.target, row.unit, kind)
    console().print(table)
    if pair.source_robot:
        from transreward_baselines.joints import show_joints

        show_joints(pair)


def find_pair(name: str) -> Pair:
    """Return the pair meant by its name or by any of its ids.

    Raises:
        ValueError: There is none.
    """
    plain = name.removeprefix("transreward_envs:").removeprefix(f"{NAMESPACE}/")
    for suffix in ("", *(f"-{suffix}-v{VERSION}" for suffix in (*ROLES, *METHODS))):
        if plain.endswith(suffix) and (stem := plain.removesuffix(suffix)) in PAIRS:
            return PAIRS[stem]
    raise ValueError(unknown("pair or id", plain, PAIRS))


def _describe(shifts: tuple[Shift, ...]) -> str:
    """Return shifts in words."""
    return ", ".join(shift.label for shift in shifts) or "plain robot"
