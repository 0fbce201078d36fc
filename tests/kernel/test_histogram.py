"""Values counted at or below bounds."""

from lakou.kernel.histogram import Histogram


def test_a_value_counts_at_the_first_bound_that_holds_it() -> None:
    histogram = Histogram(1, 10)
    for value in (0, 1, 1.5, 10, 11):
        histogram.add(value)
    assert histogram.cumulative() == [("1", 2), ("10", 4), ("+Inf", 5)]
    assert histogram.total == 23.5
