"""Combined members: compared with a calculation by hand, or fitted; and the folder that holds them."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fersearch.artifacts import file_digest
from fersearch.ensembles import model
from fersearch.ensembles.combination import METHODS, Combination, Stacker, folds, mixture_weights
from fersearch.ensembles.model import RestoredEnsemble
from fersearch.ensembles.selection import Chooser
from fersearch.errors import FersearchError
from fersearch.training.attempt import run_trial
from fersearch.training.card import ENSEMBLE
from fersearch.training.checkpoint import Restored
from fersearch.trial import Decision
from tests.cards import ensemble_card
from tests.training.conftest import drawn


def answers_of(*rows):
    """Answers (members, n, classes) written as lists."""
    return np.array(rows, dtype=np.float32)


def noisy(labels, classes, right, seed):
    """A member's shares: its guess is the label in a share `right` of the images, chance elsewhere."""
    random = np.random.default_rng(seed)
    called = np.where(random.random(len(labels)) < right, labels, random.integers(0, classes, len(labels)))
    shares = random.dirichlet(np.ones(classes), len(labels)) * 0.5
    shares[np.arange(len(labels)), called] += 0.5
    return shares.astype(np.float32)


@pytest.fixture
def guesses():
    """Three members of 4 classes on 200 images, of falling quality, and the labels."""
    labels = np.random.default_rng(0).integers(0, 4, 200)
    return np.stack([noisy(labels, 4, right, seed) for seed, right in enumerate((0.8, 0.6, 0.1))]), labels


def wrong(shares, labels):
    return float((shares.argmax(1) != labels).mean())


def test_the_mean_counts_a_member_as_often_as_it_was_chosen():
    answers = answers_of([[1.0, 0.0]], [[0.0, 1.0]])
    shares = Combination("mean", (3.0, 1.0)).shares(answers)
    assert shares.tolist() == [[0.75, 0.25]]
    assert shares.dtype == np.float32


def test_the_majority_wins_a_vote_against_any_certainty():
    answers = answers_of([[1.0, 0.0]], [[0.4, 0.6]], [[0.4, 0.6]])
    assert Combination("vote", (1.0, 1.0, 1.0)).shares(answers).argmax(1).tolist() == [1]
    assert Combination("mean", (1.0, 1.0, 1.0)).shares(answers).argmax(1).tolist() == [0]
    assert Combination("vote", (2.0, 1.0, 1.0)).shares(answers).sum() == pytest.approx(1)


def test_the_mean_decides_a_tied_vote():
    answers = answers_of([[0.3, 0.7], [0.6, 0.4]], [[0.9, 0.1], [0.2, 0.8]])
    assert Combination("vote", (1.0, 1.0)).shares(answers).argmax(1).tolist() == [0, 1]


def test_fitted_weights_lower_the_log_loss_and_leave_out_who_knows_nothing(guesses):
    answers, labels = guesses
    weights = mixture_weights(answers, labels)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[1] > weights[2]
    right = answers[:, np.arange(200), labels]
    assert -np.log(weights @ right).mean() < -np.log(right.mean(0)).mean()
    sure = np.eye(4, dtype=np.float32)[labels]
    assert mixture_weights(np.stack([sure, answers[2]]), labels).tolist() == [1.0, 0.0]


def test_a_stacker_learns_that_a_member_mixes_up_two_classes(guesses):
    answers, labels = guesses
    swapped = answers[:1][:, :, [1, 0, 2, 3]]
    stacker = Stacker.fit(swapped, labels)
    shares = stacker.shares(swapped)
    assert wrong(swapped[0], labels) > 0.5
    assert wrong(shares, labels) < 0.3
    assert shares.sum(1) == pytest.approx(np.ones(200), abs=1e-5)


def test_a_stacker_gives_no_share_to_classes_it_never_saw(guesses):
    answers, labels = guesses
    for known in ([0, 1, 2], [1, 3], [2]):
        rows = np.isin(labels, known)
        shares = Stacker.fit(answers[:, rows], labels[rows]).shares(answers)
        assert shares[:, [c for c in range(4) if c not in known]].max() == 0
        assert shares.sum(1) == pytest.approx(np.ones(200), abs=1e-5)
        assert wrong(shares[rows], labels[rows]) < 0.4


def test_two_classes_are_stacked_as_several_are():
    labels = np.arange(60) % 2
    answers = np.stack([noisy(labels, 2, 0.9, 1)])
    expected = LogisticRegression().fit(np.log(answers[0]), labels).predict_proba(np.log(answers[0]))
    assert Stacker.fit(answers, labels).shares(answers) == pytest.approx(expected, abs=1e-3)


def test_folds_spread_every_class_evenly():
    labels = np.array([0] * 50 + [1] * 10 + [2] * 3)
    fold = folds(labels, 5)
    assert np.bincount(fold[:50], minlength=5).tolist() == [10] * 5
    assert np.bincount(fold[50:60], minlength=5).tolist() == [2] * 5
    assert np.bincount(fold[60:], minlength=5).max() == 1
    assert not np.array_equal(fold, folds(labels, 5, seed=1))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_as_good_as_its_best_member_where_it_was_chosen(guesses, method):
    answers, labels = guesses
    chosen = Chooser(method, 5, wrong, lambda members: True).choose(answers, labels)
    assert chosen.steps[0].candidate == 0
    assert wrong(chosen.shares(answers), labels) <= wrong(answers[0], labels)
    assert len(chosen.members) == len(chosen.combination.weights)


def test_folds_unmask_a_stacker_that_learnt_noise_by_heart():
    labels = np.random.default_rng(3).integers(0, 4, 60)
    answers = np.stack([noisy(labels, 4, 0.0, seed) for seed in range(10)])
    chooser = Chooser("stacking", 10, wrong, lambda members: True)
    chosen = chooser.choose(answers, labels)
    apart, alone = chooser.judged_apart(answers, labels, 5)
    assert wrong(chosen.shares(answers), labels) < wrong(apart, labels) - 0.1
    assert wrong(apart, labels) == pytest.approx(0.75, abs=0.2)
    assert apart.shape == alone.shape == (60, 4)


@pytest.fixture
def folder(request_of, registry, tmp_path):
    """The folder of an ensemble of two trained networks that differ in their seed."""

    def make(method="mean", stacker=None):
        members = []
        for seed, weight in ((5, 1.0), (6, 2.0)):
            request = request_of({"epochs": 1}, seed=seed, scratch=str(tmp_path / f"scratch{seed}"))
            outcome = run_trial(request, lambda epoch: Decision.CONTINUE, registry)
            name = f"{seed}.safetensors"
            (tmp_path / "ens").mkdir(exist_ok=True)
            (tmp_path / "ens" / name).write_bytes((tmp_path / "artifacts" / outcome.checkpoint).read_bytes())
            members.append({"file": name, "digest": outcome.checkpoint, "weight": weight})
        combination = Combination(method, (1.0, 2.0), stacker)
        card = ensemble_card(class_names=["ring", "bar", "cross", "dot"], image_size=16, method=method, members=members)
        card["stacker"] = model.write_stacker(tmp_path / "ens", combination)
        card["digest"] = model.digest_of(combination, [member["digest"] for member in members])
        (tmp_path / "ens" / ENSEMBLE).write_text(json.dumps(card))
        return tmp_path / "ens"

    return make


def test_a_folder_answers_as_its_members_combined(folder, registry):
    images, _ = drawn(6)
    where = folder()
    restored = RestoredEnsemble.open(where, registry, "cpu")
    first, second = (Restored.open(where / f"{seed}.safetensors", registry, "cpu") for seed in (5, 6))
    expected = (first.probabilities(images) + 2 * second.probabilities(images)) / 3
    assert restored.probabilities(images) == pytest.approx(expected, abs=1e-6)
    assert restored.task == first.task
    assert restored.batch_size == first.batch_size


def test_an_ensemble_is_evaluated_like_a_checkpoint(folder, registry, patterns):
    loaded = patterns(48)
    restored = RestoredEnsemble.open(folder(), registry, "cpu")
    values, confusion = restored.evaluate(loaded, "valid", registry.metrics)
    rows = loaded.indices["valid"]
    right = (restored.probabilities(loaded.images[rows]).argmax(1) == loaded.hard[rows]).mean()
    assert values["accuracy"] == pytest.approx(right)
    assert "train_seconds" not in values
    assert np.sum(confusion) == len(rows)


def test_images_are_predicted_in_parts(folder, registry, monkeypatch):
    images, _ = drawn(7)
    member = RestoredEnsemble.open(folder(), registry, "cpu").members[0]
    whole = member.probabilities(images)
    monkeypatch.setattr(model, "CHUNK_BYTES", 3 * 16 * 16)
    sizes = []
    original = Restored.probabilities
    monkeypatch.setattr(Restored, "probabilities", lambda s, i, t=None: sizes.append(len(i)) or original(s, i, t))
    assert model.answers(member, images, np.arange(7)) == pytest.approx(whole, abs=1e-6)
    assert sizes == [3, 3, 1]


def test_a_stacker_is_stored_without_a_pickle(folder, registry, guesses):
    stacker = Stacker.fit(np.concatenate([guesses[0][:1], guesses[0][:1]]), guesses[1])
    where = folder("stacking", stacker)
    images, _ = drawn(5)
    restored = RestoredEnsemble.open(where, registry, "cpu")
    answers = np.stack([member.probabilities(images) for member in restored.members])
    assert restored.probabilities(images) == pytest.approx(stacker.shares(answers), abs=1e-6)


def test_a_changed_or_missing_file_is_reported(folder, registry):
    where = folder()
    (where / "5.safetensors").rename(where / "other")
    with pytest.raises(FersearchError, match=r"lacks its member 5\.safetensors"):
        RestoredEnsemble.open(where, registry)
    (where / "6.safetensors").rename(where / "5.safetensors")
    with pytest.raises(FersearchError, match="is not the file that was chosen"):
        RestoredEnsemble.open(where, registry)
    (where / ENSEMBLE).write_text("{}")
    with pytest.raises(FersearchError, match="is not an ensemble of fersearch: format: Field required"):
        RestoredEnsemble.open(where, registry)
    (where / ENSEMBLE).write_text("{")
    with pytest.raises(FersearchError, match="is not an ensemble of fersearch: it holds no card that can be read"):
        RestoredEnsemble.open(where, registry)


def test_the_digest_knows_method_members_weights_and_stacker(guesses):
    base = model.digest_of(Combination("mean", (1.0, 2.0)), ["a", "b"])
    assert base == model.digest_of(Combination("mean", (1.0, 2.0)), ["a", "b"])
    stacker = Stacker.fit(*guesses)
    others = [
        model.digest_of(Combination("vote", (1.0, 2.0)), ["a", "b"]),
        model.digest_of(Combination("mean", (2.0, 2.0)), ["a", "b"]),
        model.digest_of(Combination("mean", (1.0, 2.0)), ["a", "c"]),
        model.digest_of(Combination("stacking", (1.0, 2.0), stacker), ["a", "b"]),
    ]
    assert len({base, *others}) == 5


def test_what_is_written_of_a_stacker_is_what_its_digest_says(tmp_path, guesses):
    combination = Combination("stacking", (1.0, 1.0, 1.0), Stacker.fit(*guesses))
    assert model.write_stacker(tmp_path, combination) == file_digest(tmp_path / model.STACKER)
    assert model.write_stacker(tmp_path, Combination("mean", (1.0,))) is None
