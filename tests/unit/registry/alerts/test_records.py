from registry.alerts.records import AlertState, Matcher, Silence, fingerprint_of, packed, silence_of, state_of


def firing(**fields: object) -> AlertState:
    values = {"id": "e1", "namespace": "shop", "name": "slow", "fingerprint": "f", "state": "firing", "active_at": 1.0}
    return AlertState(**(values | fields))  # type: ignore[arg-type]  # values of tests


def silence(*matchers: Matcher, namespace: str = "*", until: float = 100.0) -> Silence:
    return Silence(
        id="s", namespace=namespace, matchers=matchers, until=until, reason="known", created_at=0.0, created_by="me"
    )


def test_a_silence_covers_what_all_its_matchers_hold_of_until_it_ends() -> None:
    alert = firing(labels={"service": "cart"})
    assert silence(Matcher(name="service", value="cart"), Matcher(name="alert", value="slow")).covers(alert, 99.0)
    assert not silence(Matcher(name="service", value="cart")).covers(alert, 100.0)
    assert not silence(Matcher(name="service", value="cart"), Matcher(name="severity", value="info")).covers(alert, 1.0)
    assert silence(Matcher(name="team", value="a", op="!=")).covers(alert, 1.0)


def test_a_silence_of_one_namespace_leaves_others_alone() -> None:
    alert = firing(namespace="mesh", labels={"namespace": "bank"})
    assert not silence(namespace="shop").covers(alert, 1.0)
    assert silence(namespace="bank").covers(alert, 1.0)


def test_records_come_back_as_they_were_kept() -> None:
    alert = firing(labels={"service": "cart"}, receivers=("shop/oncall",), fired_at=2.0)
    assert state_of(packed(alert)) == alert
    quiet = silence(Matcher(name="a", value="b", op="!="))
    assert silence_of(packed(quiet)) == quiet


def test_a_fingerprint_is_of_rule_and_labels_and_of_no_order() -> None:
    one = fingerprint_of("Alert", "shop", "slow", {"a": "1", "b": "2"})
    assert one == fingerprint_of("Alert", "shop", "slow", {"b": "2", "a": "1"})
    others = [("Alert", "slow", {"a": "12"}), ("Alert", "slo", {"a": "1"}), ("Objective", "slow", {"a": "1", "b": "2"})]
    assert one not in {fingerprint_of(kind, "shop", name, labels) for kind, name, labels in others}
