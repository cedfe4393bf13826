import random

from gateway.feed.frames import delta_frames, snapshot_frames
from gateway.feed.held import Held
from gateway.feed.state import Changes, FeedState, Trouble, Whole
from meshway.snapshot import (
    AnyFrame,
    Change,
    Delta,
    FrameReader,
    Hello,
    Reset,
    SecretFrame,
    SecretsWanted,
    Snapshot,
    SnapshotEnd,
    Tick,
)
from tests.parts.changes import left, running
from tests.parts.feed_server import Feed


def following(revision: int = 7, epoch: str = "e1") -> FeedState:
    state = FeedState(epoch=epoch, revision=revision)
    assert state.take(Hello(epoch=epoch, revision=revision)) is None
    return state


def hello_change(number: int = 1) -> Change:
    return running("hello", f"h{number}", port=9000 + number)


def frames_of(data: bytes) -> list[AnyFrame]:
    return list(FrameReader().feed(data))


def test_a_snapshot_counts_once_its_end_confirms_the_number() -> None:
    state = FeedState()
    assert state.take(Hello(epoch="e1", revision=3)) is None
    assert state.take(Snapshot(revision=3, entries=[hello_change(1)])) is None
    assert state.take(Snapshot(revision=3, entries=[hello_change(2)])) is None
    outcome = state.take(SnapshotEnd(revision=3, entries=2))
    assert isinstance(outcome, Whole)
    assert (outcome.epoch, outcome.revision, len(outcome.entries)) == ("e1", 3, 2)
    assert (state.epoch, state.revision) == ("e1", 3)


def test_an_empty_mesh_is_a_snapshot_too() -> None:
    state = FeedState()
    state.take(Hello(epoch="e1", revision=0))
    assert state.take(SnapshotEnd(revision=0, entries=0)) == Whole("e1", 0, {})


def test_a_snapshot_that_lost_an_entry_is_refused_whole_and_what_was_held_stays() -> None:
    state = following(7)
    state.take(Reset(reason="compacted"))
    state.take(Snapshot(revision=9, entries=[hello_change()]))
    outcome = state.take(SnapshotEnd(revision=9, entries=2))
    assert isinstance(outcome, Trouble)
    assert outcome.kind == "bad"
    assert (state.epoch, state.revision, state.counts.refused) == ("e1", 7, 1)
    assert "2 entries" in state.refused


def test_a_snapshot_with_an_entry_that_is_no_instance_is_refused() -> None:
    state = FeedState()
    state.take(Hello(epoch="e1", revision=1))
    spoiled = Change(op="put", kind="Instance", namespace="default", name="a/b")
    assert isinstance(state.take(Snapshot(revision=1, entries=[spoiled])), Trouble)


def test_parts_of_two_revisions_are_no_snapshot() -> None:
    state = FeedState()
    state.take(Hello(epoch="e1", revision=4))
    state.take(Snapshot(revision=3, entries=[hello_change(1)]))
    assert isinstance(state.take(Snapshot(revision=4, entries=[hello_change(2)])), Trouble)


def test_the_next_revision_is_given_on() -> None:
    state = following(7)
    assert state.take(Delta(revision=8, changes=[hello_change()])) == Changes(8, [hello_change()])
    assert state.revision == 8


def test_a_doubled_or_late_revision_is_dropped_and_counted() -> None:
    state = following(7)
    assert state.take(Delta(revision=7, changes=[hello_change()])) is None
    assert state.take(Delta(revision=3, changes=[hello_change()])) is None
    assert (state.revision, state.counts.doubled) == (7, 2)


def test_a_skipped_revision_is_lost() -> None:
    state = following(7)
    outcome = state.take(Delta(revision=9, changes=[hello_change()]))
    assert isinstance(outcome, Trouble)
    assert outcome.kind == "lost"
    assert (state.revision, state.counts.lost) == (7, 1)


def test_the_last_revision_lost_is_found_by_the_ticks() -> None:
    state = following(7)
    assert state.take(Tick(revision=8)) is None
    outcome = state.take(Tick(revision=8))
    assert isinstance(outcome, Trouble)
    assert outcome.kind == "lost"


def test_a_tick_that_is_ahead_for_a_moment_is_no_loss() -> None:
    state = following(7)
    for head in range(8, 30):
        assert state.take(Tick(revision=head)) is None
        assert isinstance(state.take(Delta(revision=head, changes=[])), Changes)


def test_parts_of_a_revision_are_given_on_together() -> None:
    state = following(7)
    assert state.take(Delta(revision=8, changes=[hello_change(1)], more=True)) is None
    assert state.revision == 7
    last = Delta(revision=8, changes=[hello_change(2)], part=1)
    assert state.take(last) == Changes(8, [hello_change(1), hello_change(2)])


def test_a_part_lost_in_the_middle_of_a_revision_is_found() -> None:
    state = following(7)
    state.take(Delta(revision=8, changes=[hello_change(1)], more=True))
    outcome = state.take(Delta(revision=8, changes=[hello_change(3)], part=2))
    assert isinstance(outcome, Trouble)
    assert outcome.kind == "lost"
    assert state.revision == 7


def test_a_revision_whose_first_part_was_lost_is_not_taken_for_whole() -> None:
    state = following(7)
    outcome = state.take(Delta(revision=8, changes=[hello_change(2)], part=1))
    assert isinstance(outcome, Trouble)
    assert (outcome.kind, state.revision) == ("lost", 7)


def test_a_doubled_part_is_dropped() -> None:
    state = following(7)
    first = Delta(revision=8, changes=[hello_change(1)], more=True)
    state.take(first)
    assert state.take(first) is None
    assert state.counts.doubled == 1
    last = Delta(revision=8, changes=[hello_change(2)], part=1)
    assert state.take(last) == Changes(8, [hello_change(1), hello_change(2)])


def test_half_a_revision_is_forgotten_with_its_connection() -> None:
    state = following(7)
    state.take(Delta(revision=8, changes=[hello_change(1)], more=True))
    state.connected()
    state.take(Hello(epoch="e1", revision=8))
    assert state.take(Delta(revision=8, changes=[hello_change(2)])) == Changes(8, [hello_change(2)])


def test_another_history_is_not_continued() -> None:
    state = FeedState(epoch="e1", revision=7)
    state.take(Hello(epoch="e2", revision=9))
    assert isinstance(state.take(Delta(revision=8, changes=[])), Trouble)


def test_another_history_replaces_by_a_snapshot_even_an_older_one() -> None:
    state = FeedState(epoch="e1", revision=7)
    state.take(Hello(epoch="e2", revision=2))
    state.take(Reset(reason="epoch"))
    state.take(Snapshot(revision=2, entries=[hello_change()]))
    assert isinstance(state.take(SnapshotEnd(revision=2, entries=1)), Whole)
    assert (state.epoch, state.revision) == ("e2", 2)


def test_a_feed_begins_with_hello() -> None:
    assert isinstance(FeedState(epoch="e1", revision=7).take(Delta(revision=8, changes=[])), Trouble)


def test_large_states_and_revisions_go_in_parts_that_fit_a_frame() -> None:
    entries = [running("big", f"i{n}", port=1 + n, metadata={"filler": "x" * 3000}) for n in range(1200)]
    frames = frames_of(b"".join(snapshot_frames("e1", 5, entries)))
    state = FeedState()
    outcomes = [outcome for frame in frames if (outcome := state.take(frame)) is not None]
    assert len(frames) > 4
    assert outcomes == [Whole("e1", 5, {entry.key: entry for entry in entries})]
    parts = frames_of(delta_frames(6, entries))
    assert len(parts) > 2
    assert [state.take(frame) for frame in parts][-1] == Changes(6, entries)


def test_lost_doubled_and_late_revisions_never_change_what_is_held() -> None:
    """A registry writes, the wire loses, doubles and reorders; after every reconnect the follower is right again."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    feed, state, held = Feed(keep=40), FeedState(), Held()
    seen: list[int] = []

    def connect() -> None:
        state.connected()
        target = f"/v1/feed?node=n&since={state.revision}&epoch={state.epoch}" if state.epoch else "/v1/feed?node=n"
        assert deliver(frames_of(b"".join(feed.answer(target))))

    def deliver(frames: list[AnyFrame]) -> bool:
        for frame in frames:
            outcome = state.take(frame)
            if isinstance(outcome, Trouble):
                return False
            if isinstance(outcome, Whole | Changes):
                if isinstance(outcome, Changes):
                    assert outcome.revision == held.revision + 1, "a revision was skipped or came twice"
                    seen.append(outcome.revision)
                held.take(outcome)
        return True

    connect()
    in_flight: list[AnyFrame] = []
    faults = 0
    for _ in range(3000):
        number = chance.randrange(30)
        change = hello_change(number) if chance.random() < 0.7 else left("hello", f"h{number}")
        revision = feed.commit(change)
        in_flight.append(Delta(revision=revision, changes=[change]))
        fault = chance.random()
        if fault < 0.02:
            del in_flight[chance.randrange(len(in_flight))]
        elif fault < 0.04:
            in_flight.insert(chance.randrange(len(in_flight) + 1), chance.choice(in_flight))
        elif fault < 0.06:
            chance.shuffle(in_flight)
        elif fault < 0.08:
            in_flight.append(Tick(revision=feed.revision))
        if chance.random() < 0.3:
            if not deliver(in_flight):
                faults += 1
                connect()
                assert held.revision == feed.revision
            in_flight.clear()
        if chance.random() < 0.005:
            feed.epoch = f"e{chance.randrange(1 << 30)}"
            in_flight.clear()
            connect()
    connect()
    assert held.entries == feed.entries
    assert held.revision == feed.revision
    assert faults > 20
    assert len(seen) > 1000


def test_the_names_that_all_entries_share_stand_in_memory_once() -> None:
    state = FeedState()
    outcome = None
    for frame in frames_of(b"".join(snapshot_frames("e1", 3, [hello_change(1), hello_change(2)]))):
        outcome = state.take(frame)
    assert isinstance(outcome, Whole)
    one, two = outcome.entries.values()
    assert one.kind is two.kind
    assert one.namespace is two.namespace


def test_who_was_told_of_no_secrets_until_it_is_quiet_forgets_them_once_a_connection() -> None:
    told = SecretFrame(namespace="shop", name="keys", type="opaque", share_with=[], versions=[])
    said: list[list[AnyFrame]] = [[], [told], [SecretsWanted(keys=[("shop", "keys")]), told]]
    for before in said:
        state = following(7)
        for _ in range(2):
            state.connected()
            state.take(Hello(epoch="e1", revision=7))
            assert [state.take(frame) for frame in before] == before
            assert state.take(Tick(revision=8)) is None, "not in step"
            state.revision = 8
            assert state.take(Tick(revision=8)) == (None if before else SecretsWanted(keys=[]))
            assert state.take(Tick(revision=8)) is None
            state.revision = 7
