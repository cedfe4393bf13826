from registry.feed.names import MOST_NAMES, Named, NameWatcher
from tests.parts.feed_bench import FeedBench


def watcher_of(bench: FeedBench, since: int | None = None, readable: frozenset[str] | None = None) -> NameWatcher:
    return bench.feed.watch_names(since=since, namespace=None, readable=readable, wake=lambda: None)


def test_each_name_is_told_once_however_often_it_changed() -> None:
    bench = FeedBench()
    watcher = watcher_of(bench)
    assert watcher.take() is None
    for _ in range(3):
        bench.register("books", "b1", port=9000 + bench.view.revision)
    bench.register("carts", "c1")
    changed = watcher.take()
    assert changed is not None
    assert (changed.revision, changed.is_reset) == (4, False)
    assert changed.names == [Named("Instance", "default", "books/b1"), Named("Instance", "default", "carts/c1")]
    assert watcher.take() is None
    watcher.close()
    assert bench.feed.watchers == set()


def test_of_very_many_only_the_first_are_named_and_the_others_summed_up() -> None:
    bench = FeedBench()
    watcher = watcher_of(bench)
    for at in range(MOST_NAMES + 50):
        bench.register("books", f"b{at}")
    changed = watcher.take()
    assert changed is not None
    assert len(changed.names) == MOST_NAMES + 1
    assert changed.names[-1] == Named("Instance", "default", "")


def test_who_may_not_read_a_namespace_hears_nothing_of_it_and_moves_on() -> None:
    bench = FeedBench()
    watcher = watcher_of(bench, readable=frozenset({"shop"}))
    bench.register("books", "b1")
    assert watcher.take() is None
    assert watcher.revision == 1


def test_one_that_comes_again_is_told_what_it_missed_or_that_it_missed_something() -> None:
    bench = FeedBench()
    for at in range(4):
        bench.register("books", f"b{at}")
    changed = watcher_of(bench, since=2).take()
    assert changed is not None
    assert [each.name for each in changed.names] == ["books/b2", "books/b3"]
    for since in (99, -5):
        reset = watcher_of(bench, since=since).take()
        assert reset is not None
        assert (reset.revision, reset.names, reset.is_reset) == (4, [], True)
