"""Which image trains, which validates, which tests: the given split kept, the rest drawn by a seed, and folds."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fersearch.components import Labels
from fersearch.data.digests import pixel_digest
from fersearch.data.folders import PARTS
from fersearch.data.near import Pairs
from fersearch.errors import DataError, UsageError
from fersearch.study import Protocol

Ints = npt.NDArray[np.int64]
Parts = npt.NDArray[np.int8]
TRAIN, VALID, TEST = 0, 1, 2
LEFT_OUT, TO_DRAW = -1, -2
RATIOS = (0.7, 0.15, 0.15)


def rounds(labels: Labels, protocol: Protocol) -> int:
    """Return how often a trial is trained: each fold, or each subject left out, of each repeat.

    Raises:
        DataError: subjects are to be left out and none is known.
    """
    if protocol.split == "kfold":
        return protocol.folds * protocol.repeats
    if protocol.split == "loso":
        return len(known_subjects(labels, _pool(labels, protocol)[1])[1]) * protocol.repeats
    return protocol.repeats


def draw(labels: Labels, protocol: Protocol, round: int = 1) -> Parts:
    """Return the part of each image in a round, int8 (n): 0 train, 1 valid, 2 test, -1 left out.

    Images without a part go to train and to the parts that no image was given to, in the protocol's ratios.
    `ratios` draws every image that is not left out anew; `kfold` and `loso` divide all but test.

    Raises:
        DataError: the protocol asks for the official split and there is none, there are too few subjects, or
            a split that must keep subjects apart does not.
    """
    parts = _folded(labels, protocol, round) if protocol.folded else _split(labels, protocol)
    if protocol.by == "subject":
        _refuse_leaks(labels, parts)
    return parts


def leaks(labels: Labels, parts: Parts) -> list[str]:
    """Return warnings about subjects with images both in train and in valid or test."""
    if labels.subject is None:
        return []
    subjects = np.asarray(labels.subject).astype(str)
    of = [set(subjects[parts == part].tolist()) - {""} for part in (TRAIN, VALID, TEST)]
    return [
        f"{len(of[TRAIN] & of[part]):,} of {len(of[part]):,} subjects of {PARTS[part]} are also in train: a score "
        "there may reflect memorised faces; `by = subject` keeps them apart"
        for part in (VALID, TEST)
        if of[TRAIN] & of[part]
    ]


def untaught(labels: Labels, parts: Parts) -> list[str]:
    """Return a warning for each class that has images in valid or test and none in train."""
    hard = np.asarray(labels.hard)
    taught = set(hard[parts == TRAIN].tolist())
    held_out = hard[(parts == VALID) | (parts == TEST)]
    return [
        f"class '{name}' has {n:,} images in valid and test and no image to train on"
        for k, name in enumerate(labels.class_names)
        if k not in taught and (n := int((held_out == k).sum()))
    ]


def without_duplicates(parts: Parts, images: npt.NDArray[np.uint8]) -> Parts:
    """Return the parts without images of train that occur, equal in every pixel, in valid or test, or of valid in
    test."""
    result = np.array(parts)
    digest = {row: pixel_digest(images[row]) for row in np.flatnonzero(parts >= 0)}
    seen: set[bytes] = set()
    for part in (TEST, VALID, TRAIN):
        rows = np.flatnonzero(parts == part)
        result[[row for row in rows if digest[row] in seen]] = LEFT_OUT
        seen |= {digest[row] for row in rows}
    return result


def without_near(parts: Parts, pairs: Pairs) -> Parts:
    """Return the parts without images of train that are, or nearly are, in valid or test, and of valid in test."""
    result = np.array(parts)
    seen = np.zeros(len(pairs.picture), bool)
    for part in (TEST, VALID, TRAIN):
        rows = np.flatnonzero(parts == part)
        result[rows[(seen | pairs.touching(seen))[pairs.picture[rows]]]] = LEFT_OUT
        seen[pairs.picture[rows]] = True
    return result


def _split(labels: Labels, protocol: Protocol) -> Parts:
    parts = np.array(labels.split, np.int8)
    if protocol.split == "ratios":
        parts[parts != LEFT_OUT] = TO_DRAW
    waiting = np.flatnonzero(parts == TO_DRAW)
    if not waiting.size:
        return parts
    if protocol.split == "official":
        raise DataError(
            f"{waiting.size:,} images have no official train and valid split",
            "have it drawn with the protocol's split = auto, or choose another dataset",
        )
    shares = _shares(parts, protocol.ratios or RATIOS)
    parts[waiting] = _drawn(labels, waiting, shares, protocol)
    return parts


def _folded(labels: Labels, protocol: Protocol, round: int) -> Parts:
    parts, pool = _pool(labels, protocol)
    parts[pool] = TRAIN
    if protocol.split == "loso":
        subjects, names = known_subjects(labels, pool)
        chosen = subjects == names[(round - 1) % len(names)]
    else:
        repeat, fold = divmod(round - 1, protocol.folds)
        groups = _groups_by(labels, pool, protocol)
        random = int(np.random.default_rng([protocol.split_seed, 3, repeat]).integers(2**31))
        hard = None if protocol.by == "chance" else np.asarray(labels.hard)[pool]
        chosen = validation_rows(len(pool), protocol.folds, fold, random, hard, groups, labels.class_names)
    parts[pool[chosen]] = VALID
    return parts


def _pool(labels: Labels, protocol: Protocol) -> tuple[Parts, Ints]:
    """Return the parts with test held out, and the rows that train and validate in turn."""
    parts = np.array(labels.split, np.int8)
    if protocol.ratios is not None:
        parts[parts != LEFT_OUT] = TO_DRAW
        test = protocol.ratios[TEST]
        if test > 0:
            rows = np.flatnonzero(parts == TO_DRAW)
            drawn = _drawn(labels, rows, [1 - test, 0.0, test], protocol)
            parts[rows[drawn == TEST]] = TEST
    return parts, np.flatnonzero((parts != LEFT_OUT) & (parts != TEST))


def _refuse_leaks(labels: Labels, parts: Parts) -> None:
    if labels.subject is None or not (np.asarray(labels.subject).astype(str) != "").any():
        raise DataError(
            "the protocol keeps subjects apart (by = subject), and this dataset does not list its subjects",
            "use by = class, and state that faces of one person may be on both sides",
        )
    if leaked := leaks(labels, parts):
        raise DataError(
            f"the protocol keeps subjects apart (by = subject), and this split does not: {leaked[0]}",
            "draw one with split = ratios or kfold, or do not call it grouped: by = auto",
        )


def _groups_by(labels: Labels, rows: Ints, protocol: Protocol) -> Ints | None:
    """Return subject numbers, int (n), where the protocol draws whole subjects; else None."""
    return _groups(labels, rows) if protocol.by in ("auto", "subject") else None


def fewer_subjects(labels: Labels, protocol: Protocol, limit: int) -> Labels:
    """Return the labels with whole subjects left out, so that `loso` under a limit does not train once for every
    person.

    Subjects are kept in a random order while their images fit into `limit`, two at least. Any other protocol, and
    fewer images than the limit, leave the labels as they are.
    """
    if protocol.split != "loso":
        return labels
    pool = _pool(labels, protocol)[1]
    if len(pool) <= limit:
        return labels
    subjects, names = known_subjects(labels, pool)
    counts = np.unique(subjects[subjects != ""], return_counts=True)[1]
    order = np.random.default_rng([protocol.split_seed, 4]).permutation(len(names))
    fitting = max(2, int((counts[order].cumsum() <= limit).sum()))
    split = np.array(labels.split, np.int8)
    split[pool[~np.isin(subjects, names[order[:fitting]])]] = LEFT_OUT
    return replace(labels, split=split)


def limited(indices: dict[str, Ints], hard: Ints, limit: int, seed: int) -> dict[str, Ints]:
    """Return a stratified subset of train and valid together, `limit` images in all, in the shares of both; test stays.

    Raises:
        UsageError: the limit leaves train or valid without images.
    """
    strata = [(part, rows[hard[rows] == label]) for part, rows in _searched(indices) for label in np.unique(hard[rows])]
    total = sum(rows.size for _, rows in strata)
    if limit >= total:
        return indices
    sizes = _apportion(limit, [rows.size for _, rows in strata])
    random = np.random.default_rng([seed, 2])
    picked: dict[str, list[Ints]] = {"train": [], "valid": []}
    for (part, rows), size in zip(strata, sizes, strict=True):
        picked[part].append(random.permutation(rows)[:size])
    chosen = {part: np.sort(np.concatenate(rows)) for part, rows in picked.items()}
    if not all(rows.size for rows in chosen.values()):
        raise UsageError(f"a limit of {limit} leaves no image for train or valid", "raise --limit")
    return {**indices, **chosen}


def _searched(indices: dict[str, Ints]) -> list[tuple[str, Ints]]:
    return [(part, indices[part]) for part in ("train", "valid")]


def _shares(parts: Parts, ratios: Sequence[float]) -> list[float]:
    """Return the share of each part among the images to draw: nothing for valid or test where they are given."""
    shares = [0.0 if k != TRAIN and (parts == k).any() else max(ratio, 0.0) for k, ratio in enumerate(ratios)]
    if shares[TRAIN] <= 0:
        raise UsageError(
            f"ratios {', '.join(map(str, ratios))} leave nothing to train on", "give train a share above 0"
        )
    return [share / sum(shares) for share in shares]


def _groups(labels: Labels, rows: Ints) -> Ints | None:
    """Return a number for each image's subject; an image without one is a subject of its own. None if no subject is
    known."""
    if labels.subject is None:
        return None
    subjects = np.asarray(labels.subject)[rows].astype(str)
    if not (subjects != "").any():
        return None
    names, numbers = np.unique(subjects, return_inverse=True)
    alone = subjects == ""
    numbers[alone] = len(names) + np.arange(alone.sum())
    return numbers


def _drawn(labels: Labels, rows: Ints, shares: Sequence[float], protocol: Protocol) -> Parts:
    """Return a part for each of some rows, in the given shares of train, valid and test."""
    hard, groups = np.asarray(labels.hard)[rows], _groups_by(labels, rows, protocol)
    random = np.random.default_rng([protocol.split_seed, 1])
    if groups is not None:
        return _by_subject(hard, groups, shares, random)
    strata = np.zeros_like(hard) if protocol.by == "chance" else hard
    parts = np.zeros(len(hard), np.int8)
    for label in np.unique(strata):
        members = random.permutation(np.flatnonzero(strata == label))
        ends = np.cumsum(_apportion_part(members.size, shares))
        for part, some in enumerate(np.split(members, ends[:-1])):
            parts[some] = part
    return parts


def _by_subject(hard: Ints, groups: Ints, shares: Sequence[float], random: np.random.Generator) -> Parts:
    """Give whole subjects, the largest first, to the part that is furthest from its share of their classes."""
    names, numbers = np.unique(groups, return_inverse=True)
    classes = np.unique(hard, return_inverse=True)[1]
    counts = np.zeros((len(names), classes.max() + 1))
    np.add.at(counts, (numbers, classes), 1)
    ratios = np.array(shares)
    if len(names) < np.count_nonzero(ratios):
        needed = ", ".join(PARTS[part] for part in np.flatnonzero(ratios))
        raise DataError(
            f"{len(names)} subjects cannot be divided into {needed}", "give a split, or ratios with fewer parts"
        )
    part_of = _assigned(counts, ratios, random)
    return part_of[numbers].astype(np.int8)


def _assigned(counts: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], random: np.random.Generator) -> Ints:
    """Return the part of each subject, given its images of each class (subjects x classes)."""
    order = random.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    target = shares[:, None] * counts.sum(0)
    weight = 1 / np.maximum(counts.sum(0), 1)
    assigned = np.zeros_like(target)
    members = np.zeros(len(shares), np.int64)
    part_of = np.zeros(len(counts), np.int64)
    for place, subject in enumerate(order):
        need = ((target - assigned) * weight * counts[subject]).sum(1)
        need = np.where(shares > 0, need / np.maximum(shares, 1e-9), -np.inf)
        empty = (shares > 0) & (members == 0)
        if len(order) - place <= empty.sum():
            need[~empty] = -np.inf
        part = int(need.argmax())
        part_of[subject] = part
        assigned[part] += counts[subject]
        members[part] += 1
    return part_of


def _apportion_part(total: int, shares: Sequence[float]) -> list[int]:
    """Divide the images of one class; a part with a share gets at least one where there are enough, train first."""
    sizes = _largest_remainder(total, np.array(shares))
    for part, share in enumerate(shares):
        if share > 0 and sizes[part] == 0 and max(sizes) > 1:
            sizes[int(np.argmax(sizes))] -= 1
            sizes[part] += 1
    return sizes


def _apportion(limit: int, sizes: Sequence[int]) -> list[int]:
    """Divide a limit over strata by size, one at least to each where the limit allows."""
    counts = _largest_remainder(limit, np.array(sizes) / sum(sizes))
    if limit >= len(sizes):
        for k, count in enumerate(counts):
            if count == 0:
                counts[int(np.argmax(counts))] -= 1
                counts[k] = 1
    return counts


def _largest_remainder(total: int, shares: npt.NDArray[np.float64]) -> list[int]:
    exact = total * shares
    sizes = np.floor(exact + 1e-9).astype(int)
    for k in np.argsort(-(exact - sizes), kind="stable")[: total - sizes.sum()]:
        sizes[k] += 1
    return [int(size) for size in sizes]


def validation_rows(
    count: int,
    folds: int,
    number: int,
    seed: int,
    hard: Ints | None,
    groups: Ints | None,
    names: Sequence[str] = (),
) -> npt.NDArray[np.bool_]:
    """Return which of `count` rows validate in fold `number` (from 0) of `folds`.

    Whole groups stay together where `groups` are given; shares of classes are kept where `hard` is.

    Raises:
        DataError: there are fewer rows, fewer groups, or fewer rows of a class (its name out of `names`), than folds.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    parts = count if groups is None else len(np.unique(groups))
    if parts < folds:
        what = "images" if groups is None else "subjects"
        raise DataError(f"{parts} {what} cannot be divided into {folds} folds", f"use {parts} folds or fewer")
    if hard is not None:
        _refuse_rare(hard, folds, names)
    options = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if groups is not None:
        splitter = GroupKFold(**options) if hard is None else StratifiedGroupKFold(**options)
    else:
        splitter = KFold(**options) if hard is None else StratifiedKFold(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer subjects than folds is in some of them
        chosen = [valid for _, valid in splitter.split(np.zeros(count), hard, groups)][number]
    mask = np.zeros(count, bool)
    mask[chosen] = True
    return mask


def known_subjects(labels: Labels, rows: Ints) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    """Return the subject of each row, as text, "" where it is not known; and the names of all, sorted.

    Raises:
        DataError: fewer than two subjects are known.
    """
    column = labels.subject if labels.subject is not None else np.full(len(labels.hard), "")
    subjects = np.asarray(column).astype(str)[rows]
    names = np.unique(subjects[subjects != ""])
    if len(names) < 2:
        raise DataError(
            "leaving one subject out needs a dataset that lists two subjects or more",
            "use split = kfold, or a dataset whose names carry the subject",
        )
    return subjects, names


def _refuse_rare(hard: Ints, folds: int, names: Sequence[str]) -> None:
    """Raise DataError where a class has fewer images than there are folds: in one of them nothing would evaluate it."""
    labels, counts = np.unique(hard, return_counts=True)
    least = int(counts.min())
    if least < folds:
        label = int(labels[counts.argmin()])
        name = f"'{names[label]}'" if 0 <= label < len(names) else str(label)
        raise DataError(
            f"class {name} has {least} image{'s' if least > 1 else ''}, which cannot be divided into {folds} folds",
            f"use {least} folds or fewer, leave the class out, or draw without regard to classes: by = chance"
            if least > 1
            else "leave the class out, or draw without regard to classes: by = chance",
        )
