"""Where references come from, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from tests.wrappers.dtw.conftest import PAIR
from transreward_baselines.data.builder import BuildArgs, build
from transreward_envs import get_pair
from transreward_wrappers.alignment import Reference
from transreward_wrappers.dtw import load_reference, save_reference
from transreward_wrappers.dtw.imagined_references import STEPS
from transreward_wrappers.dtw.references import ReferenceData
from transreward_wrappers.policies.shipped import policy_path


def gathered(kind: str, *, count: int = 2, budget: int = 1_500, pair: str = PAIR) -> list[Reference]:
    data = ReferenceData(kind=kind, count=count, budget=budget, updates=100, seed=0)
    the_pair = get_pair(pair)
    source = the_pair.make("source", disable_env_checker=True)
    data.key(the_pair)
    references = data.gather(source, the_pair)
    assert data.steps() > 0
    return references


@pytest.mark.parametrize("kind", ["expert", str(policy_path("InvertedPendulum", "expert"))])
def test_a_policy_makes_references_in_the_source_the_best_first(kind: str) -> None:
    references = gathered(kind)
    assert [reference.rewards.sum() for reference in references] == [1000.0, 500.0]
    assert references[0].size == 4


@pytest.mark.filterwarnings("ignore:The world model is too poor")
def test_a_world_model_of_the_source_imagines_references_with_their_rewards() -> None:
    references = gathered("imagined", count=3, budget=2_000)
    assert [reference.observations.shape for reference in references] == [(STEPS, 4)] * 3
    for reference in references:
        assert abs(reference.rewards - 1.0).max() < 0.05, "a pendulum that stands pays 1 a step"
        assert abs(reference.observations[:, 1]).max() < 0.2, "the expert keeps it upright, in imagination too"


def test_a_search_makes_references_where_there_is_no_policy() -> None:
    references = gathered("search", count=3, budget=400)
    returns = [reference.rewards.sum() for reference in references]
    assert len(returns) == 3
    assert returns == sorted(returns, reverse=True)


def test_a_recorded_trajectory_is_a_reference(tmp_path: Path) -> None:
    mine = Reference(observations=np.random.default_rng(0).normal(size=(30, 4)), rewards=np.ones(30))
    save_reference(tmp_path / "mine.npz", mine)
    (found,) = gathered(str(tmp_path / "mine.npz"))
    assert np.array_equal(found.observations, mine.observations)
    assert np.array_equal(found.rewards, mine.rewards)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"observations": np.zeros((5, 3)), "rewards": np.zeros(5)}, "of 4 numbers for .* have 3"),
        ({"observations": np.zeros((1, 4)), "rewards": np.zeros(1)}, "must have at least 2 steps; got 1"),
        ({"observations": np.full((5, 4), np.nan), "rewards": np.zeros(5)}, "`observations` must be finite; got nan"),
        ({"observations": np.zeros((5, 4)), "rewards": np.full(5, np.nan)}, "`rewards` must be finite; got nan"),
        ({"observations": np.zeros((5, 4))}, "is an .npz file of `observations`.* is none"),
    ],
)
def test_references_that_are_none_are_refused(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        gathered(str(tmp_path / "bad.npz"))


def test_files_and_datasets_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is none .*save_reference"):
        load_reference(tmp_path / "nowhere.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK not a zip")
    with pytest.raises(ValueError, match="is none"):
        load_reference(tmp_path / "broken.npz")
    with pytest.raises(ValueError, match="`references` must be 'expert', 'imagined', .* got 'nobody'"):
        gathered("nobody")


def test_a_dataset_of_the_source_makes_references_and_one_of_another_domain_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    settings = {"pair": PAIR, "quality": "random", "size": 1_000, "threads": 1}
    source, target = (build(BuildArgs(domain=role, **settings)) for role in ("source", "target"))
    references = gathered(str(source.directory), count=1)
    assert len(references) == 1
    assert references[0].rewards.sum() == max(episode.total_return for episode in source.episodes())
    with pytest.raises(ValueError, match="A dataset of the source must be of its domain.*Give another as `references`"):
        gathered(str(target.directory))


def test_damaged_files_are_no_trajectories(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    save_reference(path, Reference(observations=np.zeros((400, 4)), rewards=np.ones(400)))
    whole = path.read_bytes()
    middle = len(whole) // 4
    for content in (b"", whole[: len(whole) // 2], whole[:middle] + bytes(40) + whole[middle + 40 :]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="mine.npz is none"):
            load_reference(path)
    np.savez(path, observations=np.full((5, 4), np.nan), rewards=np.zeros(5))
    with pytest.raises(ValueError, match="mine.npz is none .*must be finite"):
        load_reference(path)
