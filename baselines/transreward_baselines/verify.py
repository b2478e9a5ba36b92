"""The command ``transreward verify``."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import tyro
from rich.table import Table
from tqdm import tqdm

from transreward_baselines.console import console
from transreward_envs import PAIRS, Pair, get_pair, get_suite
from transreward_envs.errors import require_count
from transreward_envs.robots.extras import EXTRAS, installed


def verify(
    pairs: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="[PAIR ...]")]] = (),
    suite: str | None = None,
    workers: int | None = None,
) -> None:
    """Verify that pairs are what they say, by measuring what the simulator does; all pairs if none is named.

    Pairs whose robot needs an extra that is not installed are left out of all.

    Args:
        pairs: Names of pairs, whose checks are shown one by one.
        suite: Verify this suite.
        workers: Processes; one a core when left out.
    """
    from transreward_envs.verification.many import verify_many

    if workers is not None:
        require_count("workers", workers, at_least=1)
    chosen: list[Pair] = [get_pair(name) for name in pairs]
    if suite is not None:
        chosen += get_suite(suite)
    if not chosen:
        chosen = [pair for pair in PAIRS.values() if installed(pair.robot_of("target").extra)]
        if left_out := len(PAIRS) - len(chosen):
            print(f"{left_out} pairs are left out: their robots need extras, {', '.join(map(repr, EXTRAS))}.")
    start = time.perf_counter()
    done = list(tqdm(verify_many(chosen, workers=workers), total=len(chosen), unit="pair", disable=len(chosen) < 10))
    failed = [verification for verification in done if not verification.passed]
    for verification in done if pairs and suite is None else failed:
        table = Table(title=verification.pair, box=None)
        for column in ("check", "expected", "measured", ""):
            table.add_column(column)
        for check in verification.checks if pairs else verification.failures:
            text = [part.replace("[", r"\[") for part in (check.what, check.expected, check.measured)]
            table.add_row(*text, "ok" if check.passed else "FAILED")
        console().print(table)
    checks = sum(len(verification.checks) for verification in done)
    print(
        f"{len(done) - len(failed)} of {len(done)} pairs are what they say: {checks} checks in "
        f"{time.perf_counter() - start:.1f} s."
    )
    if failed:
        sys.exit(1)
