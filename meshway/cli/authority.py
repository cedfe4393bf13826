"""`ca`: the mesh's certificate authority."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from meshway.cli.failure import CONFLICT, INVALID, USAGE, CliError
from meshway.cli.session import Session, asking

_POLL_S: Final = 2.0
PemFile = Annotated[Path | None, typer.Option(metavar="F", help="PEM.")]
ca_app = typer.Typer(no_args_is_help=True, help="Who is who: certificates of services and gateways.")


@ca_app.command("init")
@asking
def init(
    session: Session,
    trust_domain: Annotated[
        str, typer.Option("--trust-domain", metavar="NAME", help="Begins every name, and stays for ever.")
    ] = "mesh.internal",
    root: PemFile = None,
    intermediate: PemFile = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="F", help="The intermediate's, PEM.")] = None,
) -> None:
    """Make the mesh's certificate authority; or let one of your own stand above: --root, --intermediate and --key."""
    from meshway.cli.registry_client import RegistryClient

    body = {"trust_domain": trust_domain}
    body |= {name: _read(file) for name, file in (("root", root), ("intermediate", intermediate), ("key", key)) if file}
    shown = RegistryClient(session).ask("POST", "/v1/identity/authority", body=body).json()
    session.say(f"✓ the authority of {shown['trust_domain']} can issue: meshway ca issue NAMESPACE/SERVICE --out DIR")


@ca_app.command("show")
@asking
def show(session: Session) -> None:
    """Show the authority, when its parts expire, and how far a change of its root has come."""
    from meshway.cli.output import show_one
    from meshway.cli.registry_client import RegistryClient

    shown = RegistryClient(session).read("/v1/identity")
    show_one(session, shown, name=str(shown["trust_domain"]), text=lambda: _told(session, shown))


@ca_app.command("list")
@asking
def list_(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="[NAMESPACE/SERVICE]", help="Of one alone; gateway/HOST.", show_default=False)
    ] = "",
) -> None:
    """List the certificates that have not expired."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    params = {"subject": subject} if subject else {}
    items = list(RegistryClient(session).items("/v1/identity/certificates", **params))
    columns = {
        "SUBJECT": lambda item: str(item["subject"]).partition("//")[2],
        "SERIAL": lambda item: str(item["serial"]),
        "STATE": _state_of,
        "ISSUED BY": lambda item: str(item["issued_by"]),
    }
    empty = "no certificates: meshway ca issue NAMESPACE/SERVICE --out DIR"
    show_list(session, items, columns, name=lambda item: str(item["serial"]), empty=empty)


@ca_app.command("issue")
@asking
def issue(
    session: Session,
    subject: Annotated[str, typer.Argument(metavar="NAMESPACE/SERVICE", help="Or gateway/HOST.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where key and certificate are put.")],
) -> None:
    """Make a certificate, here and now; `meshway agent` keeps one."""
    from meshway.cli.registry_client import RegistryClient
    from meshway.client.certificate_folder import IDENTITY, CertificateFolder
    from meshway.client.credential import Credential, Key

    if (out / IDENTITY).exists():
        raise CliError(CONFLICT, f"{out} holds a certificate already", mend="name another folder, or remove it")
    client, made = RegistryClient(session), Key()
    token = client.ask("POST", "/v1/identity/enrolments", body={"subject": subject}).json()["token"]
    body = {"token": token, "csr": made.signing_request()}
    issued = client.ask("POST", "/v1/identity/enrol", body=body).json()
    credential = Credential(
        key=made.pem,
        certificate=issued["certificate"],
        roots=issued["roots"],
        not_before=issued["not_before"],
        not_after=issued["not_after"],
    )
    try:
        CertificateFolder(out).write(credential)
    except OSError as error:
        raise CliError(INVALID, f"cannot write to {out}: {error.strerror}") from error
    session.say(f"✓ {issued['subject']} until {_time(issued['not_after'])}, in {out}")


@ca_app.command("revoke")
@asking
def revoke(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="[NAMESPACE/SERVICE]", help="All of its certificates.", show_default=False)
    ] = "",
    serial: Annotated[str, typer.Option("--serial", metavar="S", help="One certificate.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT")] = "",
) -> None:
    """Let no gateway believe a certificate any more, from within seconds on."""
    from meshway.cli.registry_client import RegistryClient

    if bool(subject) is bool(serial):
        raise CliError(USAGE, "whose certificates?", mend="meshway ca revoke NAMESPACE/SERVICE, or --serial S")
    session.confirm(f"Revoke {f'all certificates of {subject}' if subject else f'certificate {serial}'}?")
    body = {"subject": subject, "serial": serial, "reason": reason}
    revoked = RegistryClient(session).ask("POST", "/v1/identity/revocations", body=body).json()
    count = len(revoked["serials"])
    session.say(f"✓ {count} certificate{'s' * (count != 1)} revoked in revision {revoked['revision']}")


@ca_app.command("rotate")
@asking
def rotate(
    session: Session,
    what: Annotated[Literal["root", "intermediate"], typer.Argument(help="In steps, or at once.")] = "root",
    back: Annotated[bool, typer.Option("--back", help="Take the last step of the root back.")] = False,
    wait: Annotated[
        str, typer.Option("--wait", metavar="10m", help="For the gateways and certificates that a step waits for.")
    ] = "0s",
    root_key: Annotated[
        Path | None, typer.Option("--root-key", metavar="F", help="Where it is offline: for an intermediate.")
    ] = None,
) -> None:
    """Take the next step to another root, or make another intermediate. Shows who has not confirmed the last one."""
    from meshway.cli.registry_client import RegistryClient, refused
    from meshway.cli.waiting import seconds_of

    body = {"what": what, "step": "back" if back else "next"} | ({"root_key": _read(root_key)} if root_key else {})
    end_s, client = time.monotonic() + seconds_of("--wait", wait), RegistryClient(session)
    while True:
        answer = client.answer("POST", "/v1/identity/rotation", body=body)
        is_waiting = answer.status_code == 409 and answer.json().get("code") == "not_confirmed"
        if not is_waiting or time.monotonic() >= end_s:
            break
        time.sleep(_POLL_S)
    if answer.status_code >= 400:
        raise refused(answer)
    session.put(_told(session, answer.json()))


@ca_app.command("take-root-key")
@asking
def take_root_key(
    session: Session,
    out: Annotated[Path, typer.Option("--out", metavar="F", help="Where the key is put, for its owner alone.")],
) -> None:
    """Take the root's key out of the registry: from then on only its keeper can make another intermediate."""
    from meshway.cli.registry_client import RegistryClient

    session.confirm("Take the root's key out of the registry?")
    try:
        # Opened before it is asked for: what the registry has given away is nowhere else.
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(RegistryClient(session).ask("POST", "/v1/identity/root-key").json()["key"])
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise CliError(CONFLICT, f"{out} is there already", mend="name another file") from None
    except OSError as error:
        raise CliError(INVALID, f"cannot write {out}: {error.strerror}") from error
    except CliError:
        out.unlink()
        raise
    session.say(f"✓ the root's key is in {out} and nowhere else: keep two copies of it")


def _told(session: Session, shown: Mapping[str, Any]) -> str:
    from meshway.cli.output import table

    lines = [f"trust domain {shown['trust_domain']}   state {shown['phase']}   revision {shown['revision']}"]
    lines += [f"! waits for {line}" for line in shown["waits_for"]]
    rows = [
        (one["role"], one["id"], one["state"], _time(one["not_after"]), "here" if one["has_key"] else "offline")
        for one in shown["authorities"]
    ]
    return "\n".join([*lines, "", table(("ROLE", "ID", "STATE", "UNTIL", "KEY"), rows, color=session.color)])


def _state_of(item: Mapping[str, Any]) -> str:
    if item.get("revoked_at") is not None:
        return f"■ revoked by {item['revoked_by']}"
    if item.get("replaced_at") is not None:
        return "renewed"
    return f"✓ {(item['not_after'] - time.time()) / 3600:.0f}h left"


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(INVALID, f"cannot read {file}: {type(error).__name__}") from error
