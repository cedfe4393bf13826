from meshway.model.decode import canonical, decode_spec


def test_blocks_are_read_with_their_defaults_and_written_without_them() -> None:
    rule = {"destinations": [{"service": "cart"}], "request_body": {}}
    route, errors = decode_spec("Route", {"rules": [rule, {"respond": {"status": 200, "body": "ok"}}]})
    assert errors == []
    assert route is not None
    assert canonical(route) == {"rules": [rule, {"respond": {"status": 200, "body": "ok"}}]}
    assert str(route.rules[0].request_body.max) == "100MiB"  # type: ignore[attr-defined]
