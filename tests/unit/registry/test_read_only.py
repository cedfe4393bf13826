from registry.read_only import is_change, is_change_by_browser


def test_what_people_decide_is_a_change_and_what_programs_say_is_none() -> None:
    assert is_change("PUT", "documents:write")
    assert is_change("POST", "breakers:reset")
    assert is_change("DELETE", "users:write")
    for method, right in (
        ("GET", "documents:write"),
        ("POST", "calls:explain"),
        ("POST", "reports:write"),
        ("POST", "open"),
        ("DELETE", "signed_in"),
        ("PUT", "instances:write"),
    ):
        assert not is_change(method, right), right


def test_instances_are_changed_by_programs_and_not_by_browsers() -> None:
    assert is_change_by_browser("PATCH", "instances:drain")
    assert not is_change_by_browser("GET", "instances:read")
    assert not is_change_by_browser("PUT", "documents:write")
