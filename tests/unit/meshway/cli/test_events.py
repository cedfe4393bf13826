from meshway.cli.events import Events


def test_events_are_read_out_of_pieces_of_any_size() -> None:
    told = b'event: lines\ndata: {"items":[1]}\n\n: alive\n\nevent: problem\ndata: {"title":"x"}\n\n'
    expected = [("lines", {"items": [1]}), ("problem", {"title": "x"})]
    for size in (1, 7, len(told)):
        events = Events()
        pieces = [told[at : at + size] for at in range(0, len(told), size)]
        assert [event for piece in pieces for event in events.feed(piece)] == expected
