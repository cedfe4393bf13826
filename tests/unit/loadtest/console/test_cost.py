from loadtest.console.cost import asked_again


def test_what_a_page_asks_again_for_is_asked_as_often_in_ten_seconds() -> None:
    urls = ["http://here:1/v1/a?x=1"] * 3 + ["http://here:1/v1/b"] * 6 + ["http://here:1/v1/live?topics=a"]
    assert asked_again(urls, 30.0) == ["/v1/a?x=1", "/v1/b", "/v1/b"]
    assert asked_again(["http://here:1/v1/once"], 30.0) == []
