from gateway.relay.replay import Replay


def test_a_body_within_the_limit_is_kept_to_be_sent_again() -> None:
    body = Replay(10, b"one")
    body.hold(b"two")
    assert body.take() == b"onetwo"
    body.keep(b"four")
    assert body.is_whole
    assert body.take() == b"onetwofour"


def test_what_was_not_sent_yet_is_never_dropped() -> None:
    body = Replay(0, b"one")
    body.hold(b"two")
    assert body.is_whole
    assert body.take() == b"onetwo"
    assert not body.is_whole


def test_over_the_limit_nothing_is_kept() -> None:
    body = Replay(5, b"one")
    body.take()
    body.keep(b"two")
    body.keep(b"six")
    assert (body.is_whole, body.take()) == (False, b"")
