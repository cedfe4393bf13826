from meshway.otlp.log_records import severity_name, severity_of


def test_a_severity_is_known_by_its_number_or_by_its_word() -> None:
    assert [severity_of(0, word) for word in ("WARNING", "Critical", "info", "loud", "")] == [13, 21, 9, 0, 0]
    assert severity_of(18, "INFO") == 18
    assert [severity_name(number) for number in (0, 1, 8, 9, 12, 13, 17, 24)] == [
        "", "trace", "debug", "info", "info", "warn", "error", "fatal",
    ]  # fmt: skip
