import pytest

from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.upstream import RecordingUpstream


@pytest.mark.proves("Route.method_override")
@pytest.mark.parametrize(("said", "arrives"), [("remove", []), ("pass", [b"DELETE"])])
async def test_a_service_hears_of_another_method_where_its_route_lets_it(said: str, arrives: list[bytes]) -> None:
    upstream = RecordingUpstream()
    async with upstream.running():
        route = document("Route", "r", edge_route(to("books"), method_override=said))
        async with compiled_gateway(running("books", "1", port=upstream.port), route) as gateway:
            assert (await gateway.ask(fields="X-HTTP-Method-Override: DELETE\r\n"))[0] == 200
    (received,) = upstream.requests
    assert received.values(b"x-http-method-override") == arrives
