import pytest

from meshway.call_filter import MOST_LENGTH, MOST_TERMS, BadFilter, compile_filter
from meshway.call_lines import CallLine

LINE = CallLine(
    time="2026-11-26T12:00:00.000Z",
    duration_ms=312.5,
    service="shop/reviews#v2",
    route="shop/cart",
    principal="spiffe://mesh.internal/ns/shop/svc/web",
    method="GET",
    authority="shop.example",
    path="/cart/7/items",
    status=503,
    flag="UF,URX",
    attempts=2,
    trace_id="0af7651916cd43dd8448eb211c80319c",
    node="gw-1",
    cache="stale",
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "service:reviews*",
        "service:shop/reviews#v2",
        "route:cart status>=500 status<600",
        "status:503 flag:uf flag:URX flag:any",
        "latency>300ms latency<=313ms",
        "path:/cart* path:*items path:/c*7*s",
        "namespace:shop",
        "principal:*svc/web",
        "attempts>1 method:GET gateway:gw-1",
        "trace:0af7651916cd43dd8448eb211c80319c",
        "-status:200 -path:/health !flag:DC",
        "cache:stale",
        "CART",
        "shop.example",
        'path:"/cart/7/items"',
    ],
)
def test_a_filter_lets_through_what_fulfils_all_its_terms(text: str) -> None:
    assert compile_filter(text)(LINE)


@pytest.mark.parametrize(
    "text",
    [
        "service:reviews",
        "service:other/reviews*",
        "route:cart status<500",
        "flag:DC",
        "cache:hit",
        "latency>1s",
        "path:/cart",
        "path:/cart/7/items*x",
        "path:/cart/7/items/7*items",
        "namespace:bank",
        "-namespace:shop",
        "elsewhere",
    ],
)
def test_and_nothing_else(text: str) -> None:
    assert not compile_filter(text)(LINE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("servce:a", "did you mean service"),
        ("status>=many", "status"),
        ("status:5xx", "status>=500 status<600"),
        ("latency>300", "not a duration"),
        ("path>=/a", "is a text"),
        ('path:"/a', "quote"),
        ("a" * (MOST_LENGTH + 1), "characters"),
        ("a " * (MOST_TERMS + 1), "terms"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_mend(text: str, reason: str) -> None:
    with pytest.raises(BadFilter, match=reason):
        compile_filter(text)
