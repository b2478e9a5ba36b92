"""Which joints of a pair's two robots correspond, as a table."""

from __future__ import annotations

from rich.table import Table

from transreward_baselines.console import console
from transreward_envs import Pair
from transreward_envs.correspondence import common_joints, pair_layouts


def show_joints(pair: Pair) -> None:
    """Show which joints correspond by name, or why none can."""
    try:
        source, target = pair_layouts(pair)
    except ValueError as error:
        print(error)
        return
    common = common_joints(source, target)
    table = Table(title="Joints that correspond by name", box=None)
    for column in ("target", "source"):
        table.add_column(column)
    for joint in target.joints:
        table.add_row(joint, joint if joint in common else "none: what it does is lost")
    for joint in source.joints:
        if joint not in common:
            table.add_row("none: held at rest", joint)
    console().print(table)
