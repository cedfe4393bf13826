import ssl
from pathlib import Path

import pytest

from gateway.feed.registry_link import RegistryUrl
from gateway.settings import GatewaySettings, refuse_open_bind
from meshway.problem import Problem


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_word(bind: str, tmp_path: Path) -> None:
    refuse_open_bind(GatewaySettings(data_dir=tmp_path, bind=bind))


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.7", "gateway.example"])
def test_an_open_bind_is_refused_with_the_mend(bind: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no TLS") as caught:
        refuse_open_bind(GatewaySettings(data_dir=tmp_path, bind=bind))
    assert caught.value.mend is not None
    assert "--insecure" in caught.value.mend


def test_an_open_bind_is_taken_when_it_is_meant(tmp_path: Path) -> None:
    refuse_open_bind(GatewaySettings(data_dir=tmp_path, bind="0.0.0.0", insecure=True))


def test_workers_log_into_the_data_folder_by_default(tmp_path: Path) -> None:
    settings = GatewaySettings(data_dir=tmp_path, node="gw-1", zone="a").for_workers()
    assert (settings.access_log, settings.node, settings.zone) == (str(tmp_path / "log/access.jsonl"), "gw-1", "a")


def test_a_gateway_that_is_told_not_to_log_gives_its_workers_no_path(tmp_path: Path) -> None:
    assert GatewaySettings(data_dir=tmp_path, access_log="off").for_workers().access_log == ""


def test_a_registry_url_is_host_and_port() -> None:
    url = RegistryUrl.parse("http://registry.internal:8500/")
    assert (url.host, url.port, url.fields) == ("registry.internal", 8500, b"Host: registry.internal:8500\r\n")
    assert RegistryUrl.parse("http://[::1]").fields == b"Host: [::1]:8500\r\n"


def test_a_registry_is_asked_by_tls_that_checks_who_answers_where_its_url_says_https() -> None:
    by_tls, in_the_clear = RegistryUrl.parse("https://registry"), RegistryUrl.parse("http://registry")
    assert in_the_clear.tls is None
    assert by_tls.tls is not None
    assert (by_tls.tls.check_hostname, by_tls.tls.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    "text", ["registry:8500", "ftp://registry", "http://", "https://", "http://a:99999", "http://a/path"]
)
def test_what_is_no_registry_url_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(Problem, match="no registry URL") as caught:
        RegistryUrl.parse(text)
    assert caught.value.mend is not None
