"""Which cells and runs names mean."""

import pytest

from transreward_baselines.benchmark.dara.cells import AMOUNTS, QUALITIES, Cell, all_cells, find_cells, runs_of


def test_cells_are_those_of_the_suite_body_mass_first() -> None:
    pairs = list(dict.fromkeys(cell.pair for cell in all_cells()))
    robots = ("Hopper", "Walker2d", "HalfCheetah", "Ant")
    assert pairs == [f"{robot}-dara-{shift}" for shift in ("mass", "jointnoise") for robot in robots]
    assert len(all_cells()) == len(pairs) * len(QUALITIES)


def test_patterns_mean_cells_in_the_order_of_the_table() -> None:
    assert find_cells(["*"]) == all_cells()
    assert find_cells(["Hopper-dara-mass/medium"]) == [Cell("Hopper-dara-mass", "medium")]
    assert find_cells(["Ant-dara-mass", "Hopper-dara-mass"]) == [
        Cell(pair, quality) for pair in ("Hopper-dara-mass", "Ant-dara-mass") for quality in QUALITIES
    ]
    assert {cell.quality for cell in find_cells(["*-mass/medium-*"])} == {"medium-replay", "medium-expert"}
    for wrong in ("Hopper-dara-mas/medium", "Hopper-dara-mas"):
        with pytest.raises(ValueError, match=f"Unknown cell '{wrong}'. Did you mean .*Hopper-dara-mass"):
            find_cells([wrong])


def test_runs_come_pair_by_pair_and_each_once() -> None:
    cells = find_cells(["Hopper-dara-mass", "Ant-dara-mass/random"])
    runs = list(runs_of(cells, ["awr", "iql"], AMOUNTS, [0, 3]))
    assert len(runs) == len(set(runs)) == 5 * 2 * 5 * 2
    assert [run.cell.pair for run in runs] == sorted((run.cell.pair for run in runs), reverse=True)
    assert str(runs[0]) == "Hopper-dara-mass/random, awr, 10T, seed 0"
