import pytest

from gateway.supervisor.reports import url_elsewhere


@pytest.mark.parametrize(
    ("url", "bind", "local_host", "elsewhere"),
    [
        ("http://127.0.0.1:8581", "127.0.0.1", "10.0.0.7", "http://127.0.0.1:8581"),
        ("http://10.0.0.9:8581", "10.0.0.9", "10.0.0.7", "http://10.0.0.9:8581"),
        ("http://127.0.0.1:8581", "0.0.0.0", "10.0.0.7", "http://10.0.0.7:8581"),
        ("http://[::1]:8581", "::", "fd00::7", "http://[fd00::7]:8581"),
        ("http://127.0.0.1:8581", "0.0.0.0", "", ""),
    ],
)
def test_a_listener_on_every_address_is_told_by_the_one_the_registry_sees(
    url: str, bind: str, local_host: str, elsewhere: str
) -> None:
    assert url_elsewhere(url, bind, local_host) == elsewhere
