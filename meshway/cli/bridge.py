"""`bridge zookeeper`: copies another registry's services into a namespace while it runs."""

import importlib.util
import re
from typing import Annotated

import typer

from meshway.cli.failure import FAILED, UNREACHABLE, USAGE, CliError
from meshway.cli.session import EVERY_NAMESPACE, Session, asking
from meshway.model.document import LABEL_PATTERN

bridge_app = typer.Typer(help="Copy services from and to another registry.", no_args_is_help=True)


@bridge_app.command("zookeeper")
@asking
def zookeeper(
    session: Session,
    hosts: Annotated[str, typer.Argument(metavar="HOST:PORT,…", help="ZooKeeper's servers; /PATH behind is a chroot.")],
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="Where Curator keeps services.")] = "/services",
    to: Annotated[bool, typer.Option("--to", help="Copy the namespace into ZooKeeper as well.")] = False,
    ttl: Annotated[float, typer.Option("--ttl", metavar="SECONDS", help="The leases of the copies, 3 to 3600.")] = 30.0,
) -> None:
    """Keep Curator's services of ZooKeeper registered in the namespace, until Ctrl-C. One for a tree and namespace."""
    if importlib.util.find_spec("kazoo") is None:
        raise CliError(FAILED, "the bridge to ZooKeeper needs kazoo", mend="pip install 'meshway[zookeeper]'")
    if session.namespace == EVERY_NAMESPACE:
        raise CliError(USAGE, "a bridge ends in one namespace", mend="--namespace NAME")
    if not re.fullmatch(LABEL_PATTERN, session.namespace):
        raise CliError(USAGE, f"--namespace {session.namespace!r} is no name: lower-case letters, digits and dashes")
    if not 3 <= ttl <= 3600:
        raise CliError(USAGE, f"--ttl {ttl:g} is out of bounds: 3 to 3600 seconds")
    from meshway.client.errors import MeshwayError
    from meshway.client.settings import MeshSettings
    from registry.sources.running import BridgeSettings, run_bridge
    from registry.sources.zookeeper import TreeAway

    settings = MeshSettings(
        registry=session.registry, token_file=session.token_file, ca_file=session.ca_file, namespace=session.namespace
    )
    bridge = BridgeSettings(hosts=hosts, path=path, to=to, ttl_s=ttl)
    try:
        run_bridge(settings, bridge, session.say)
    except TreeAway as away:
        raise CliError(
            UNREACHABLE, str(away), mend="start it, or name another: meshway bridge zookeeper HOST:PORT"
        ) from away
    except MeshwayError as error:
        raise CliError(FAILED, f"the registry refuses the bridge: {error.line}", mend=error.problem.mend) from error
