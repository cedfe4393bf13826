"""Single sign-on as it is deployed: registries as processes, told by a file, over one store and by TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from meshway.tls import client_context
from tests.end_to_end.registry.test_encryption import ROOT, StrictRegistry, write
from tests.parts.command import meshway
from tests.parts.identity_provider import IdentityProvider
from tests.parts.ports import free_port
from tests.parts.sign_on import write_providers


async def test_a_person_signs_in_over_tls_and_the_session_outlives_a_restart(tmp_path: Path) -> None:
    ca_file, bootstrap = tmp_path / "ca.pem", tmp_path / "bootstrap.token"
    ca_file.write_bytes(ROOT.pem)
    bootstrap.write_text("b" * 43)
    corp, port = IdentityProvider(), free_port()
    corp.claims = {"groups": ["devs"]}
    url = f"https://127.0.0.1:{port}"
    async with corp.upstream.running():
        providers = write_providers(tmp_path, url, {"corp": corp})
        arguments = (*write(tmp_path, ROOT.issue("127.0.0.1")), "--oidc-file", str(providers))
        more = ("--bootstrap-token-file", str(bootstrap))
        registry = await asyncio.to_thread(StrictRegistry, tmp_path, *arguments, *more, port=port, ca_file=ca_file)
        try:
            admin = ("--registry", url, "--ca-file", str(ca_file), "--token-file", str(bootstrap))
            bind = ("user", "bind", "--group", "corp:devs", "--role", "viewer", "-A")
            bound = await asyncio.to_thread(meshway, *bind, *admin)
            assert bound.code == 0, bound.err
            verify = client_context(ca_file.read_bytes())
            async with httpx.AsyncClient(base_url=url, verify=verify, trust_env=False, timeout=20.0) as browser:
                page = await signed_in(browser)
                given = [line for line in page.headers.get_list("set-cookie") if line.startswith("__Host-meshway=")]
                assert "Secure" in given[0]
                assert "SameSite=Strict" in given[0]
                assert (await browser.get("/v1/session")).json()["principal"] == "sso:corp:ada"
                await asyncio.to_thread(registry.restart, 9)
                assert (await browser.get("/v1/session")).json()["principal"] == "sso:corp:ada"
        finally:
            await asyncio.to_thread(registry.close)


async def signed_in(browser: httpx.AsyncClient) -> httpx.Response:
    """As a browser goes, by each redirect."""

    async def come(url: str) -> Any:
        answer = await browser.get(url)
        return await come(answer.headers["location"]) if answer.status_code == 302 else answer

    async with asyncio.timeout(20):
        while (page := await come("/v1/session/oidc/start?provider=corp")).status_code == 503:
            await asyncio.sleep(0.1)  # its keys are still fetched
    assert page.status_code == 200, page.text
    return page  # type: ignore[no-any-return]


def test_a_file_of_no_use_stops_the_start_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "oidc.yaml").write_text("providers: [{name: corp, issuer: http://id.example, clientid: x}]")
    arguments = ("--data", str(tmp_path / "data"), "--registry-port", "0", "--dns-port", "off")
    refused = meshway("registry", "serve", *arguments, "--oidc-file", str(tmp_path / "oidc.yaml"))
    assert refused.code == 5
    assert "clientid" in refused.err
    assert "Traceback" not in refused.err
