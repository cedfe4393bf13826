from gateway.filters.header_lines import fixed_lines, variable_lines
from meshway.model.match import PathMatch
from meshway.model.route import HeaderChanges
from tests.parts.calls import call


def test_fixed_fields_are_one_piece_of_bytes_set_before_add() -> None:
    changes = HeaderChanges(add={"X-B": "2"}, set={"X-A": "1", "X-V": "${request_id}"}, remove=("X-C",))
    assert fixed_lines(changes) == b"X-A: 1\r\nX-B: 2\r\n"
    assert fixed_lines(HeaderChanges()) == b""


def test_without_variables_there_is_nothing_to_do_for_a_call() -> None:
    assert variable_lines(HeaderChanges(set={"X-A": "1"}), ()) is None


def test_what_a_call_has_is_written_between_the_texts() -> None:
    changes = HeaderChanges(set={"X-A": "no-${path.id}!"}, add={"X-B": "${request_id}/${path.id}${path.kind}"})
    lines = variable_lines(changes, [PathMatch(template="/{kind}/{id}")])
    assert lines is not None
    exchange = call("/books/7%2d1?q=a")
    exchange.request_id = b"call-1"
    assert lines(exchange) == b"X-A: no-7-1!\r\nX-B: call-1/7-1books\r\n"


def test_the_path_is_the_one_that_was_matched_whatever_was_made_of_it() -> None:
    lines = variable_lines(HeaderChanges(set={"X-A": "${path.id}"}), [PathMatch(template="/books/{id}")])
    assert lines is not None
    exchange = call("/books//7")
    exchange.path = b"/v2"
    assert lines(exchange) == b"X-A: 7\r\n"


def test_a_letter_beyond_ascii_goes_as_one_byte() -> None:
    assert fixed_lines(HeaderChanges(set={"X-A": "é"})) == b"X-A: \xe9\r\n"
