from meshway.model.receiver import Receiver, ReceiverMatch, WebhookTarget
from registry.notifications.routing import FAILING_ALERT, receivers_of
from tests.parts.alerts import firing

ANY = Receiver(webhook=WebhookTarget(url="http://127.0.0.1/"))


def matching(**match: object) -> Receiver:
    return Receiver(webhook=WebhookTarget(url="http://127.0.0.1/"), match=ReceiverMatch(**match))  # type: ignore[arg-type]


def test_those_that_are_named_and_are_there_are_told_once() -> None:
    alert = firing(receivers=("shop/oncall", "mesh/default", "shop/oncall", "shop/gone"))
    known = {("shop", "oncall"): ANY, ("mesh", "default"): ANY, ("shop", "other"): ANY}
    assert list(receivers_of(alert, known, frozenset())) == [("shop", "oncall"), ("mesh", "default")]


def test_labels_and_severity_must_fit() -> None:
    alert = firing(severity="warning", labels={"team": "a"})

    def is_told(receiver: Receiver) -> bool:
        return bool(list(receivers_of(alert, {("shop", "oncall"): receiver}, frozenset())))

    assert is_told(matching(labels={"team": "a", "alert": "errors"}, min_severity="warning"))
    assert not is_told(matching(labels={"team": "a", "service": "films"}))
    assert not is_told(matching(labels={"zone": "a"}))
    assert not is_told(matching(min_severity="critical"))


def test_that_receivers_fail_is_told_by_the_others_of_their_namespace_and_of_the_mesh() -> None:
    alert = firing(FAILING_ALERT[1], namespace="mesh", receivers=("mesh/default",))
    known = {("shop", "oncall"): ANY, ("shop", "mail"): ANY, ("mesh", "default"): ANY, ("films", "oncall"): ANY}
    told = set(receivers_of(alert, known, frozenset({("shop", "oncall")})))
    assert told == {("shop", "mail"), ("mesh", "default")}
