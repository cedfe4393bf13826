from loadtest.targets import Target, at_least, at_most, read


def test_a_bound_holds_on_its_own_side_and_at_itself() -> None:
    assert at_most("cost", 1.1, 1.1, "×").is_met
    assert not at_most("cost", 1.1, 1.11, "×").is_met
    assert at_least("rate", 1.9, 1.9, "×").is_met
    assert not at_least("rate", 1.9, 1.89, "×").is_met


def test_what_is_told_in_a_section_is_read_back_from_it() -> None:
    told = [
        at_most("bare get", 0.36, 0.7534, "× envoy's CPU (0.45 with a plain-built Python)"),
        Target("each policy", "≤ 3 µs", "3.8 by rewrite: by template; 4.7 by compression, of 2 KB", False),
    ]
    text = "\n".join(["| a table |", "", *map(str, told), "", "- Target, of nobody"])
    assert read(text) == told
    assert told[0].reached == "0.753"
