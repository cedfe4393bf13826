from gateway.exchange import Reply
from gateway.filters.rewrite import compile_filter
from meshway.model.match import PathMatch
from meshway.model.route import PathRewrite, Rewrite
from tests.parts.calls import call


def test_the_upstream_sees_another_path_and_the_same_query() -> None:
    exchange = call("/books/1?q=a")
    assert compile_filter(Rewrite(path=PathRewrite(prefix="/v2")), [PathMatch(prefix="/books")])(exchange) is None
    assert (exchange.path, exchange.query, exchange.authority) == (b"/v2/1", b"?q=a", b"shop.example")


def test_the_upstream_sees_another_host_and_what_was_matched_stays() -> None:
    exchange = call("/books")
    compile_filter(Rewrite(host="books.internal:8080"), [])(exchange)
    assert (exchange.authority, exchange.host, exchange.path) == (b"books.internal:8080", b"shop.example", b"/books")


def test_a_new_path_that_has_a_query_brings_it() -> None:
    exchange = call("/books/1?q=a")
    assert compile_filter(Rewrite(path=PathRewrite(full="/search?kind=book")), [])(exchange) is None
    assert (exchange.path, exchange.query) == (b"/search", b"?kind=book")


def test_a_substitution_that_leaves_no_path_is_a_refusal() -> None:
    reply = compile_filter(Rewrite(path=PathRewrite(regex="^/", substitution="")), [])(call("/books"))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.detail) == (400, 'after the rewrite the path does not begin with "/"')


def test_a_rewrite_that_would_climb_above_the_root_is_a_refusal() -> None:
    reply = compile_filter(Rewrite(path=PathRewrite(prefix="/..")), [PathMatch(prefix="/books")])(call("/books/x"))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.flag) == (400, "DPE")
