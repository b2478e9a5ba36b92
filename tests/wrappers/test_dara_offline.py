"""DARA on datasets: source data in, the same data with other rewards out."""

from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Box

from tests.wrappers.transitions import SOURCE, TARGET, LinearGaussian
from transreward_envs import get_pair, make_pair
from transreward_wrappers.darc import DARA
from transreward_wrappers.darc.offline import (
    fit,
    prepare,
    relabel_source,
    relabel_source_by_seeds,
    require_source_and_target,
)
from transreward_wrappers.datasets import Dataset, DatasetError, DatasetWriter, Episode
from transreward_wrappers.datasets.relabel import relabel

SETTINGS = {"batch_size": 1_024, "learning_rate": 3e-3, "hidden": 32, "input_noise": 0.0}


def dataset(directory: Path, law: LinearGaussian, episodes: int, *, seed: int, action_size: int = 1) -> Dataset:
    """Write episodes of 100 steps each, whose states are drawn anew at every step."""
    spaces = {"observation_space": Box(-np.inf, np.inf, (2,)), "action_space": Box(-1.0, 1.0, (action_size,))}
    metadata = {"dataset_id": f"tried/{directory.name}-v0", "transreward": {"schema": 1}}
    generator = np.random.default_rng(seed)
    with DatasetWriter(directory, **spaces, metadata=metadata) as writer:
        for _ in range(episodes):
            state = generator.standard_normal(2)
            observations, actions = [state], generator.uniform(-1.0, 1.0, (100, action_size)).astype(np.float32)
            for action in actions:
                mean = law.state @ observations[-1] + law.action @ action[:1]
                observations.append(mean + law.spread * generator.standard_normal(2))
            writer.add(
                Episode(
                    observations=np.array(observations),
                    actions=actions,
                    rewards=generator.standard_normal(100),
                    terminated=False,
                )
            )
    return Dataset(directory)


def test_source_data_is_paid_for_what_the_target_would_do(tmp_path: Path) -> None:
    source = dataset(tmp_path / "source", SOURCE, 400, seed=0)
    target = dataset(tmp_path / "target", TARGET, 100, seed=1)
    new = relabel_source(
        source, target, tmp_path / "new", name="tried/new-v0", updates=1_500, settings={**SETTINGS, "eta": 0.5}
    )
    before, after = source.transitions(), new.transitions()
    for name in ("observations", "actions", "next_observations", "terminated", "episode"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    added, batch = after.rewards - before.rewards, before.as_transitions(0)
    exact = 0.5 * (TARGET.log_density(batch) - SOURCE.log_density(batch))
    assert np.corrcoef(added, exact)[0, 1] > 0.9
    assert np.sqrt(((added - exact) ** 2).mean()) < 0.4 * exact.std()
    told = new.about["compensation"]
    assert (told["method"], told["updates"], told["settings"]["eta"]) == ("dara", 1_500, 0.5)
    assert (told["target"], new.about["relabelled_from"]) == ("tried/target-v0", "tried/source-v0")
    assert 0.5 < told["accuracy_of_triples"] < 1.0
    with pytest.raises(FileExistsError):
        relabel_source(source, target, tmp_path / "new", name="tried/new-v0", updates=1, settings=SETTINGS)


def test_accuracies_that_are_told_are_of_all_that_was_held_out(tmp_path: Path) -> None:
    source, target = (dataset(tmp_path / name, law, 100, seed=0) for name, law in (("s", SOURCE), ("t", TARGET)))
    learned = {"updates": 50, "settings": SETTINGS}
    told = relabel_source(source, target, tmp_path / "new", name="tried/new-v0", **learned).about["compensation"]
    learner = fit(source, target, **learned).learner
    held_out = learner.memory.held_out(10_000)
    assert [len(rows) for rows in held_out] == [1_000, 1_000]
    as_target = [(learner.classifiers.classify(rows)[1] > 0.0).mean() for rows in held_out]
    assert told["accuracy_of_triples"] == pytest.approx((1.0 - as_target[0] + as_target[1]) / 2.0)


def test_a_folder_is_looked_at_before_anything_is_learned_and_what_a_killed_one_left_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = (dataset(tmp_path / str(seed), SOURCE, 20, seed=seed) for seed in (2, 3))
    (tmp_path / ".new.abcdef").mkdir()
    relabel_source(source, target, tmp_path / "new", name="n-v0", updates=1, settings=SETTINGS)
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3", "new", ".new.lock"}
    monkeypatch.setattr("transreward_wrappers.darc.offline.fit", lambda *_, **__: pytest.fail("it learns"))
    monkeypatch.setattr("transreward_wrappers.darc.offline.fit_by_seeds", lambda *_, **__: pytest.fail("it learns"))
    with pytest.raises(FileExistsError, match="needs a folder of its own"):
        relabel_source(source, target, tmp_path / "new", name="n-v0")
    folders = {0: tmp_path / "other", 1: tmp_path / "new"}
    with pytest.raises(FileExistsError, match="needs a folder of its own"):
        relabel_source_by_seeds(source, target, folders, {0: "o-v0", 1: "n-v0"})


def test_fewer_transitions_than_an_agent_gathers_between_updates_are_enough_for_small_batches(tmp_path: Path) -> None:
    source, target = (dataset(tmp_path / law, one, 1, seed=2) for law, one in (("s", SOURCE), ("t", TARGET)))
    dara = fit(source, target, updates=3, settings={"batch_size": 32, "hidden": 8})
    assert dara.learner.warm
    assert np.abs(dara(source.transitions().as_transitions(0))).max() > 0.0


def test_the_same_data_and_seed_give_the_same_rewards(tmp_path: Path) -> None:
    source, target = (dataset(tmp_path / str(seed), SOURCE, 5, seed=seed) for seed in (2, 3))
    made = [
        relabel_source(source, target, tmp_path / f"new-{i}", name="n-v0", updates=5, settings={"seed": i // 2})
        for i in range(3)
    ]
    rewards = [one.transitions().rewards for one in made]
    np.testing.assert_array_equal(rewards[0], rewards[1])
    assert not np.array_equal(rewards[0], rewards[2])


@pytest.mark.parametrize("members", [1, 2])
def test_classifiers_of_several_seeds_side_by_side_learn_what_each_would_alone(members: int, tmp_path: Path) -> None:
    source, target = (dataset(tmp_path / law, one, 20, seed=2) for law, one in (("s", SOURCE), ("t", TARGET)))
    settings = {"batch_size": 128, "hidden": 16, "eta": 0.5, "members": members}
    folders = {seed: tmp_path / f"new-{seed}" for seed in (3, 5)}
    names = {seed: f"tried/new-{seed}-v0" for seed in folders}
    together = relabel_source_by_seeds(source, target, folders, names, updates=60, settings=settings)
    added = []
    for seed, made in zip(folders, together, strict=True):
        alone = relabel_source(
            source, target, tmp_path / f"alone-{seed}", name="a-v0", updates=60, settings={**settings, "seed": seed}
        )
        mine, its = (one.transitions().rewards for one in (made, alone))
        np.testing.assert_allclose(mine, its, atol=1e-4)
        told, of_alone = (dict(one.about["compensation"]) for one in (made, alone))
        assert told == of_alone
        assert made.metadata["dataset_id"] == names[seed]
        added.append(mine - source.transitions().rewards)
    assert np.abs(added[0] - added[1]).max() > 1e-2


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    source = dataset(tmp_path / "source", SOURCE, 5, seed=0)
    other = dataset(tmp_path / "other", SOURCE, 5, seed=0, action_size=2)
    with pytest.raises(DatasetError, match="must have one action space; .* Give datasets of one pair"):
        fit(source, other, updates=1, settings={})
    short = dataset(tmp_path / "short", SOURCE, 1, seed=0)
    with pytest.raises(DatasetError, match="need half a batch, 128 transitions, .* got 500 and 100"):
        fit(source, short, updates=1, settings={})
    with pytest.raises(ValueError, match="Unknown setting of DARA 'etta'"):
        fit(source, source, updates=1, settings={"etta": 1.0})
    with pytest.raises(ValueError, match="`eta` must be finite"):
        fit(source, source, updates=1, settings={"eta": float("nan")})
    with pytest.raises(ValueError, match="`updates` must be an integer >= 1"):
        fit(source, source, updates=0, settings={})
    with pytest.raises(DatasetError, match="There must be data of both domains; .* are the same data"):
        fit(source, source, updates=1, settings={})
    hidden = make_pair("Hopper", {"kind": "delay", "steps": 3}, observe_actions=1).to_json()
    source.metadata["transreward"].update(pair=hidden, domain="source")
    with pytest.raises(ValueError, match="observations that hold every action under way"):
        fit(source, short, updates=1, settings={})


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (("Hopper-mass-2.0", "target"), ("Hopper-mass-2.0", "source"), "second .* is of 'Hopper', the source of"),
        (
            ("Hopper-mass-2.0", "source"),
            ("Hopper-delay-1", "target"),
            "first .* is of 'Hopper', not of 'Hopper-del",
        ),
        (("Walker2d-mass-2.0", "source"), ("Hopper-mass-2.0", "target"), "'Hopper-mass-2.0'; .* is of 'Walker2d', not"),
        (("Hopper-gravity-2.0", "source"), ("Hopper-mass-2.0", "target"), None),
    ],
)
def test_data_are_of_a_pairs_source_and_of_its_target(
    first: tuple[str, str], second: tuple[str, str], message: str | None, tmp_path: Path
) -> None:
    source, target = (dataset(tmp_path / str(seed), SOURCE, 2, seed=seed) for seed in (0, 1))
    for data, (pair, domain) in ((source, first), (target, second)):
        data.metadata["transreward"].update(pair=get_pair(pair).to_json(), domain=domain)
    if message is None:
        require_source_and_target(source, target)
        return
    with pytest.raises(DatasetError, match=message):
        require_source_and_target(source, target)


@pytest.mark.parametrize("name", ["warmup", "fit_budget", "updates", "update_every", "target_data"])
def test_settings_of_learning_while_an_agent_acts_are_refused(name: str, tmp_path: Path) -> None:
    source, target = (dataset(tmp_path / str(seed), law, 2, seed=seed) for seed, law in enumerate((SOURCE, TARGET)))
    with pytest.raises(ValueError, match=f"`{name}` is of classifiers that learn while an agent acts; got it as 7"):
        fit(source, target, updates=2, settings={name: 7})


def test_a_dataset_that_is_relabelled_again_tells_of_both_times(tmp_path: Path) -> None:
    source = dataset(tmp_path / "source", SOURCE, 2, seed=0)
    zero = lambda batch: np.zeros(len(batch))  # noqa: E731
    once = relabel(source, zero, tmp_path / "once", domain=0, about={"method": "cost"}, name="tried/once-v0")
    twice = relabel(once, zero, tmp_path / "twice", domain=0, about={"method": "dara"}, name="tried/twice-v0")
    thrice = relabel(twice, zero, tmp_path / "thrice", domain=0, about={"method": "x"}, name="tried/thrice-v0")
    assert "relabelled_before" not in once.about
    assert thrice.about["compensation"] == {"method": "x"}
    assert [one["compensation"]["method"] for one in thrice.about["relabelled_before"]] == ["cost", "dara"]
    assert [one["relabelled_from"] for one in thrice.about["relabelled_before"]] == ["tried/source-v0", "tried/once-v0"]


def test_data_that_are_too_few_are_refused_before_anything_is_learned(tmp_path: Path) -> None:
    source, short = (dataset(tmp_path / str(count), SOURCE, count, seed=0) for count in (5, 1))
    with pytest.raises(DatasetError, match="need half a batch, 128 transitions, .* got 500 and 100"):
        prepare(DARA, source, short, updates=1, settings={})
