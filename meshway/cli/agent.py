"""`agent`: keeps a certificate in files, for a program in any language."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshway.cli.failure import INVALID, CliError
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from meshway.client.credential import Credential


@asking
def agent(
    session: Session,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where identity.pem, certificate.pem, key.pem, roots.pem go.")
    ],
    enrol_token_file: Annotated[
        Path | None,
        typer.Option(
            "--enrol-token-file",
            envvar="MESHWAY_ENROL_TOKEN_FILE",
            metavar="F",
            help="The one-time token of `meshway token create --enrol`; needed where DIR holds no certificate.",
        ),
    ] = None,
    service_token: Annotated[
        bool,
        typer.Option(
            "--service-token", help="Keep service.token there, too: MESHWAY_TOKEN_FILE for a program that registers."
        ),
    ] = False,
) -> None:
    """Keep a certificate in DIR until Ctrl-C: get it by a one-time token, renew it at half its life."""
    asyncio.run(_keep(session, folder, enrol_token_file, keeps_token=service_token))


async def _keep(session: Session, folder: Path, enrol_token_file: Path | None, *, keeps_token: bool) -> None:
    from meshway.client.certificate import CertificateKeeper
    from meshway.client.certificate_folder import CertificateFolder
    from meshway.client.registry import AsyncRegistry
    from meshway.client.settings import MeshSettings
    from meshway.settings import SettingError, read_secret
    from meshway.tasks import spawn

    def token() -> str:
        return "" if enrol_token_file is None else read_secret(enrol_token_file)

    def changed(credential: "Credential") -> None:
        session.say(f"✓ {credential.identity.text} in {folder}")

    # What it asks proves itself by its body; a token that is over, or that it has yet to get, would only be in the way.
    registry = AsyncRegistry(MeshSettings(registry=session.registry, ca_file=session.ca_file))
    done = asyncio.Event()
    keeper = CertificateKeeper(
        registry, CertificateFolder(folder), token=token, keeps_token=keeps_token, changed=changed
    )
    keeper.take_kept()
    try:
        if keeper.credential is None and not token():
            raise CliError(
                INVALID, f"{folder} holds no certificate", mend="--enrol-token-file F, of meshway token create --enrol"
            )
    except SettingError as error:
        raise CliError(INVALID, str(error)) from error
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    keeping = spawn(keeper.run(), name="certificate")
    ended = spawn(done.wait(), name="signal")
    await asyncio.wait([keeping, ended], return_when=asyncio.FIRST_COMPLETED)
    for task in (keeping, ended):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await registry.close()
