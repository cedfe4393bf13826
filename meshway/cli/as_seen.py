"""What somebody asks of a thing as it was when they looked at it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshway.cli.session import Session


def ask_as_seen(session: "Session", path: str, action: str, body: object, *, version: str, name: str) -> dict[str, Any]:
    """POST of an action on it, refused (412) when somebody, or the thing itself, was quicker. version: the field that
    tells one state of it from the next. What is answered is shown, under the name, where -o asks for it."""
    from meshway.cli.output import show_one
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    seen: Mapping[str, Any] = client.read(path)
    told: dict[str, Any] = client.ask(
        "POST", f"{path}/{action}", body=body, headers={"If-Match": f'"{seen[version]}"'}
    ).json()
    if session.output not in (None, "table", "wide"):
        show_one(session, told, name=name.format_map(told), text=str)
    return told
