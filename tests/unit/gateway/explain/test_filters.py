from gateway.exchange import Hold, Reply
from gateway.explain.filters import walk
from gateway.plan import FilterStep, Forecast
from meshway.explanation import Said
from tests.parts.calls import call

RULE = Said(document="Route default/r", path="spec.rules[0]")


def test_filters_are_told_in_order_up_to_the_one_that_answers() -> None:
    def change(exchange):  # type: ignore[no-untyped-def]
        exchange.path = b"/new"
        exchange.block = b"x-a: 1\r\n"
        exchange.added += b"x-b: 2\r\n"

    refusal = Reply(403, "denied", "UAEX", "no")
    never = Reply(500, "never", "", "never")
    steps = (
        FilterStep("rewrite", "rewrite", change),
        FilterStep("quiet", "", lambda _: None),
        FilterStep("slow", "fault.delay", lambda _: Hold(2.0)),
        FilterStep("limit", "", lambda _: never, lambda _: [Forecast("pass", "5 of 5", "RateLimit default/five")]),
        FilterStep("guard", "", lambda _: refusal),
        FilterStep("never", "", lambda _: never),
    )
    told, reply = walk(steps, call("/old"), RULE)
    assert reply is refusal
    assert [(each.name, each.verdict, each.detail) for each in told] == [
        ("rewrite", "change", "path /old becomes /new, request gets x-a: 1, answer gets x-b: 2"),
        ("quiet", "pass", ""),
        ("slow", "delay", "waits 2 s"),
        ("limit", "pass", "5 of 5"),
        ("guard", "refuse", "no"),
    ]
    assert [(each.document, each.path) for each in told[:1] + told[3:4]] == [
        ("Route default/r", "spec.rules[0].rewrite"),
        ("RateLimit default/five", ""),
    ]


def test_an_answer_without_words_tells_its_status_and_where_it_leads() -> None:
    reply = Reply(302, "redirect", "", fields=b"Location: https://shop.example/\r\n", body=b"")
    told, _ = walk((FilterStep("redirect", "redirect", lambda _: reply),), call(), RULE)
    assert (told[0].verdict, told[0].detail) == ("answer", "302 Found to https://shop.example/")
