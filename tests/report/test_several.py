"""The report of a study over several architectures shows how each of them fared."""

from dataclasses import replace

from fersearch.report import prose, study_tables
from fersearch.report.sections import search
from fersearch.trial import TrialState
from tests.report import fakes


def several():
    trials = []
    for number, name in enumerate(("cnn", "zoo:net.v1", "cnn", "cnn")):
        plain = fakes.trial(number)
        own = {"architecture": name, f"{name}.width": number, f"{name}.freeze": "none"}
        trials.append(replace(plain, params={**plain.params, **own}))
    trials[3] = replace(trials[3], state=TrialState.PRUNED)
    spec = replace(fakes.SPEC, architecture="cnn,zoo:net.v1,vgg16", one_study=True)
    return fakes.record(spec=spec, trials=trials, front=[trials[0], trials[2]], chosen=trials[:1])


def test_each_architecture_has_a_row_with_its_best_values():
    record = several()
    table = study_tables.architectures(record)
    assert table.columns[:5] == ["Architecture", "Trials", "Complete", "Stopped early", "On the front"]
    assert [row[:5] for row in table.rows] == [["cnn", 3, 2, 1, 2], ["zoo:net.v1", 1, 1, 0, 0], ["vgg16", 0, 0, 0, 0]]
    f1, seconds = ([record.trials[n].values[name] for n in (0, 2)] for name in ("f1_macro", "train_seconds"))
    assert table.rows[0][5:7] == [max(f1), min(seconds)]
    assert table.rows[2][5:] == [None, None, None]
    assert search.front(record).parts[0].table == table


def test_tables_name_the_architecture_even_where_it_is_the_same():
    front = study_tables.front(several())
    assert [row[front.columns.index("architecture")] for row in front.rows] == ["cnn", "cnn"]
    trials = study_tables.trials(several())
    assert {"architecture", "cnn.width"} <= set(trials.columns)
    assert "cnn.freeze" not in trials.columns


def test_the_summary_lists_the_architectures_and_says_which_is_best():
    text = " ".join(prose.summary(several()))
    assert "4 trials of cnn, zoo:net.v1 and vgg16 on faces: 3 complete, 1 pruned." in text
    assert "is trial 0 (cnn) with" in text
