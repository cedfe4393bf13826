"""`register --check` and `deregister`: instances that send no heartbeats, so that nobody stays behind for them."""

from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
import typer

from meshway.cli.failure import NOT_FOUND, USAGE, CliError
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from meshway.client.registration import Registration

_WHAT: Final = {"http": "path", "grpc": "service"}


def read_check(text: str) -> dict[str, str]:
    """`tcp`, `http`, `http:/healthz`, `grpc` or `grpc:shop.v1.Reviews` as the `check` of a registration.

    Raises CliError; what follows the colon is the registry's to judge.
    """
    kind, colon, what = text.partition(":")
    if kind not in ("http", "tcp", "grpc") or (colon and (kind not in _WHAT or not what)):
        raise CliError(USAGE, f"--check {text!r} is no check", mend="tcp, http, http:/PATH, grpc or grpc:SERVICE")
    return {"type": kind} | ({_WHAT[kind]: what} if what else {})


def register_checked(session: Session, wanted: "Registration", check: dict[str, str]) -> None:
    """Once. Raises CliError."""
    from meshway.cli.registry_client import RegistryClient

    members: dict[str, Any] = msgspec.json.decode(wanted.body())
    del members["ttl_s"]
    RegistryClient(session).ask("PUT", wanted.path, body=members | {"check": check})
    session.say(
        f"✓ {wanted.name} at {wanted.address}:{wanted.port}: the registry asks it; "
        f"critical until it answers, gone after `meshway deregister {wanted.service} {wanted.id}`"
    )


@asking
def deregister(
    session: Session,
    service: Annotated[str, typer.Argument(metavar="SVC", help="The service's name.")],
    instance: Annotated[str, typer.Argument(metavar="ID", help="The instance's.")],
) -> None:
    """Take an instance out, whoever registered it."""
    from meshway.cli.registry_client import RegistryClient

    namespace = session.own_namespace
    place = "/".join(quote(part, safe="") for part in (service, "instances", instance))
    path = f"/v1/namespaces/{quote(namespace, safe='')}/services/{place}"
    client = RegistryClient(session)
    if client.answer("GET", path).status_code == 404:  # deleting it twice is no error of the API's
        raise CliError(
            NOT_FOUND,
            f"{namespace}/{service}/{instance} is not there",
            mend=f"see what there is: meshway instances {service} -n {namespace}",
        )
    client.ask("DELETE", path)
    session.say(f"✓ {namespace}/{service}/{instance} is gone")
