from registry.notifications.message import MOST_ALERTS, link_of, postable_alerts, text_of, title_of, webhook_body
from tests.parts.alerts import firing, resolved

CART, FILMS = firing(), firing(labels={"service": "films"})


def test_what_alerts_have_in_common_is_told_once() -> None:
    body = webhook_body("shop/oncall", {"alert": "errors"}, [CART, resolved(FILMS, 1060.0)])
    assert body["status"] == "firing"
    assert body["commonLabels"] == {
        "alertname": "errors",
        "alert": "errors",
        "namespace": "shop",
        "severity": "warning",
    }
    assert body["commonAnnotations"] == {"value": "0.25"}
    assert [alert["endsAt"] for alert in body["alerts"]] == ["0001-01-01T00:00:00Z", "1970-01-01T00:17:40.000Z"]


def test_a_long_message_counts_what_it_leaves_out() -> None:
    many = [firing(labels={"service": f"s{at}"}) for at in range(MOST_ALERTS + 5)]
    body = webhook_body("shop/oncall", {}, many, left_out=2)
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (MOST_ALERTS, 7)
    assert text_of(many, 2).endswith(f"and {MOST_ALERTS + 5 - 20 + 2} more")


def test_a_title_says_how_many_fire_and_what_they_share() -> None:
    assert title_of([CART]) == "[FIRING] errors shop cart"
    assert title_of([CART, FILMS]) == "[FIRING 2] errors shop"
    assert title_of([resolved(CART, 1060.0)]) == "[RESOLVED] errors shop cart"


def test_a_text_says_what_when_and_where_to_look() -> None:
    text = text_of([resolved(firing(runbook_url="https://run.example"), 1060.0)])
    assert text.split("\n") == [
        "RESOLVED shop/errors (warning)",
        "errors of cart",
        "since 1970-01-01T00:16:40.000Z, until 1970-01-01T00:17:40.000Z",
        "namespace=shop, service=cart",
        "runbook: https://run.example",
    ]


def test_an_alertmanager_gets_names_that_all_versions_take_and_no_empty_values() -> None:
    (posted,) = postable_alerts([firing(labels={"app.k8s.io/name": "x", "zone": ""})], now=2000.0)
    assert posted["labels"]["app_k8s_io_name"] == "x"
    assert "zone" not in posted["labels"]
    assert posted["endsAt"] == "1970-01-01T00:37:20.000Z"


def test_where_the_console_is_known_each_alert_leads_to_its_page() -> None:
    console, link = "https://mesh.example", f"https://mesh.example/alerts?alert=%22{CART.id}%22"
    body = webhook_body("shop/oncall", {}, [CART], console=console)
    assert (body["externalURL"], body["alerts"][0]["generatorURL"]) == (console, link)
    assert text_of([CART], console=console).split("\n")[-1] == f"console: {link}"
    assert postable_alerts([CART], 2000.0, console)[0]["generatorURL"] == link


def test_where_it_is_not_known_nothing_leads_anywhere() -> None:
    body = webhook_body("shop/oncall", {}, [CART])
    assert (body["externalURL"], body["alerts"][0]["generatorURL"], link_of(CART, "")) == ("", "", "")
    assert "console" not in text_of([CART])
    assert "generatorURL" not in postable_alerts([CART], 2000.0)[0]
