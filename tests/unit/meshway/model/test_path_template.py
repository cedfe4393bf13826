import pytest

from meshway.model.path_template import Segment, parse_template


def test_a_template_is_segments_and_names() -> None:
    assert parse_template("/reviews/{id}") == (Segment("reviews"), Segment(None, "id"))
    assert parse_template("/{a}/") == (Segment(None, "a"), Segment(""))
    assert parse_template("/{_x1}/b/{rest=**}") == (Segment(None, "_x1"), Segment("b"), Segment(None, "rest", True))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("/a", "holds no"),
        ("/", "holds no"),
        ("/a//{id}", "can never be"),
        ("/./{id}", "can never be"),
        ("/../{id}", "can never be"),
        ("/x{id}", "neither text nor one"),
        ("/{id}x", "neither text nor one"),
        ("/{}", "neither text nor one"),
        ("/{1a}", "neither text nor one"),
        ("/{a-b}", "neither text nor one"),
        ("/{é}", "neither text nor one"),
        (f"/{{{'a' * 33}}}", "neither text nor one"),
        ("/{a", "neither text nor one"),
        ("/a}", "neither text nor one"),
        ("/{a}/{a}", "twice"),
        ("/{a=*}", "only"),
        ("/{a=}", "only"),
        ("/{a=**}/b", "last segment"),
    ],
)
def test_what_is_no_template_says_why(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_template(template)
