from typing import Any

import pytest

from meshway.model.decode import decode_spec

HOOK = {"webhook": {"url": "https://hooks.example/a"}}
ALERTMANAGER = {"alertmanager": {"url": "http://127.0.0.1:9093"}}


@pytest.mark.parametrize(
    ("spec", "at", "code"),
    [
        ({}, "spec", "forbidden_combination"),
        (HOOK | ALERTMANAGER, "spec", "forbidden_combination"),
        ({"webhook": {"url": "https://user:pw@hooks.example/"}}, "spec.webhook.url", "inline_secret"),
        ({"webhook": {"url": "ftp://hooks.example/"}}, "spec.webhook.url", "out_of_bounds"),
        ({"webhook": {"url": "https://hooks.example/a b"}}, "spec.webhook.url", "out_of_bounds"),
        ({"webhook": {"url": "https://hooks.example:99999/"}}, "spec.webhook.url", "out_of_bounds"),
        ({"alertmanager": {"url": "http://127.0.0.1:9093/?a=b"}}, "spec.alertmanager.url", "out_of_bounds"),
        ({"apprise": {"url": "mailto://a:b@c"}}, "spec.apprise.url", "bad_name"),
        ({"webhook": {"urls": "https://hooks.example/"}}, "spec.webhook.urls", "unknown_field"),
        (HOOK | {"match": {"labels": {"a b": "c"}}}, 'spec.match.labels["a b"]', "bad_name"),
        (HOOK | {"match": {"min_severity": "worse"}}, "spec.match.min_severity", "out_of_bounds"),
        (HOOK | {"group_by": ["alert", "alert"]}, "spec.group_by[1]", "duplicate"),
        (HOOK | {"group_by": ["a b"]}, "spec.group_by[0]", "bad_name"),
        (HOOK | {"group_wait": "2h"}, "spec.group_wait", "out_of_bounds"),
        (HOOK | {"group_interval": "0s"}, "spec.group_interval", "out_of_bounds"),
        (HOOK | {"repeat": "30s", "group_interval": "10s"}, "spec.repeat", "out_of_bounds"),
        (HOOK | {"repeat": "2m"}, "spec.repeat", "forbidden_combination"),
        (ALERTMANAGER | {"group_by": ["service"]}, "spec.group_by", "forbidden_combination"),
        (ALERTMANAGER | {"send_resolved": False}, "spec.send_resolved", "forbidden_combination"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(spec: dict[str, Any], at: str, code: str) -> None:
    _, errors = decode_spec("Receiver", spec)
    assert (at, code) in [(error.path, error.code) for error in errors]


@pytest.mark.parametrize(
    "spec",
    [
        HOOK | {"match": {"labels": {"team": "a", "app.kubernetes.io/name": "b"}}, "group_wait": "0s", "group_by": []},
        {"webhook": {"url": "http://hooks.example/", "headers": "hook", "sign": {"secret": "hook", "key": "sign"}}},
        {"alertmanager": {"url": "https://am.example/base", "auth": "am"}, "match": {"min_severity": "critical"}},
        {"apprise": {"url": {"secret": "mail", "namespace": "mesh"}}, "group_interval": "10s", "repeat": "1m"},
    ],
)
def test_what_is_right_is_taken(spec: dict[str, Any]) -> None:
    assert decode_spec("Receiver", spec)[1] == []


def test_what_is_refused_for_a_password_does_not_repeat_it() -> None:
    _, errors = decode_spec("Receiver", {"webhook": {"url": "https://robot:hush-hush@hooks.example/"}})
    assert "hush-hush" not in "".join(error.message for error in errors)
