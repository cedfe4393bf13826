from gateway.wire.http2.questions import SAVED, Questions

PING = 17  # bytes, and of its answer


def test_so_many_may_come_at_once_and_more_with_time() -> None:
    questions = Questions(10.0)
    assert questions.may_ask(SAVED, 10.0)
    assert not questions.may_ask(1, 10.0)
    questions = Questions(10.0)
    assert questions.may_ask(SAVED, 10.0)
    assert questions.may_ask(100, 11.0)
    assert not questions.may_ask(101, 12.0)


def test_answers_to_questions_pay_for_no_further_ones() -> None:
    questions, taken = Questions(0.0), 0
    while questions.may_ask(50, 0.0):
        taken += 50
        questions.sent(50 * PING)
    assert taken == SAVED


def test_one_for_each_piece_of_an_answer_goes_on_and_on() -> None:
    questions = Questions(0.0)
    for _ in range(10 * SAVED):
        questions.sent(15)
        assert questions.may_ask(1, 0.0)
        questions.sent(PING)


def test_what_was_sent_long_ago_saves_up_no_more_than_there_is_at_first() -> None:
    questions = Questions(0.0)
    questions.sent(1 << 30)
    assert questions.may_ask(SAVED, 100.0)
    assert not questions.may_ask(1, 100.0)
