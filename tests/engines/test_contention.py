from fersearch.engines.contention import Contention


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def test_neighbours_are_counted_by_device_and_time():
    clock = Time()
    company = Contention(clock)
    company.join(1, "gpu 0")
    clock.now = 10
    company.join(2, "gpu 0")
    company.join(3, "gpu 1")
    clock.now = 20
    assert company.leave(2) == {"neighbours": 1.0, "most_neighbours": 1}
    clock.now = 40
    assert company.leave(1) == {"neighbours": 0.25, "most_neighbours": 1}
    assert company.leave(3) == {"neighbours": 0.0, "most_neighbours": 0}


def test_the_most_is_remembered_when_they_have_gone():
    clock = Time()
    company = Contention(clock)
    for trial in (1, 2, 3):
        company.join(trial, "cpu")
    clock.now = 1
    company.leave(2)
    company.leave(3)
    clock.now = 4
    assert company.leave(1) == {"neighbours": 0.5, "most_neighbours": 2}


def test_a_trial_that_never_began_had_no_company():
    assert Contention(Time()).leave(5) == {}
