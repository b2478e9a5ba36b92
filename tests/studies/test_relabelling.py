"""Relabelled against frozen rewards: what is refused before anything is run, and what the table says."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from studies import relabelling


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pair", "Nope"], "Nope"),
        (["--set", "etaa=1"], "etaa"),
        (["--steps", "0"], "`total_steps` must be an integer >= 1; got 0"),
        (["--agents", "sb3-sac", "--lanes", "0"], "`n_envs` must be an integer >= 1; got 0"),
    ],
)
def test_what_cannot_be_leaves_no_directory(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        relabelling.main([*words, "--out", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


def row(rewards: str, seed: int, target_return: float) -> relabelling.Row:
    numbers = {"steps": 1, "source_steps": 1, "target_steps": 1, "target_mean": 0.0, "source_return": 0.0}
    told = {"pair": "Hopper-mass-2.0", "agent": "sac", "rewards": rewards, "seconds": 1.0}
    return relabelling.Row(seed=seed, target_return=target_return, **told, **numbers)


def test_differences_are_between_runs_of_one_seed() -> None:
    rows = [row("frozen", seed, 100.0 * seed) for seed in (1, 2, 3)]
    rows += [row("relabelled", seed, 100.0 * seed + 7.0) for seed in (3, 2)]
    text = io.StringIO()
    Console(file=text, width=140).print(relabelling.table(rows))
    (difference,) = [line for line in text.getvalue().splitlines() if "difference" in line]
    assert "7 (7 - 7)" in difference
    assert difference.split()[2] == "2"
