"""A lazy property is worked out once per instance."""

from tinybeam.http.lazy import lazy


class Counter:
    calls = 0

    @lazy
    def value(self) -> int:
        """The value."""
        self.calls += 1
        return 7


def test_it_is_worked_out_at_the_first_look_and_then_kept() -> None:
    counter = Counter()
    assert counter.calls == 0
    assert (counter.value, counter.value, counter.calls) == (7, 7, 1)


def test_each_instance_has_its_own() -> None:
    first, second = Counter(), Counter()
    assert first.value == second.value
    assert (first.calls, second.calls) == (1, 1)


def test_the_class_shows_the_descriptor_with_its_documentation() -> None:
    assert isinstance(Counter.value, lazy)
    assert Counter.value.__doc__ == "The value."
