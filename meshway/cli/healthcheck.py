"""`healthcheck`: the question a container engine asks, without a shell or curl in the image."""

from typing import Annotated
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import typer

from meshway.cli.failure import FAILED, USAGE, CliError
from meshway.cli.guard import guarded

READY = {"registry": "http://127.0.0.1:8500/v1/health/ready", "gateway": "http://127.0.0.1:8590/health/ready"}


@guarded
def healthcheck(
    what: Annotated[str, typer.Argument(metavar="[registry|gateway|URL]", help="Default: either plane.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds.")] = 3.0,
) -> None:
    """Ask a plane on this machine whether it is ready: exit 0 when it says so, else 1."""
    urls = [READY.get(what, what)] if what else list(READY.values())
    if not urls[0].startswith(("http://", "https://")):
        raise CliError(USAGE, f"{what} is neither registry nor gateway nor a URL", mend="meshway healthcheck registry")
    refusals = [refusal for url in urls if (refusal := _ask(url, timeout)) is not None]
    if len(refusals) == len(urls):
        raise refusals[0]


def _ask(url: str, timeout_s: float) -> CliError | None:
    try:
        # Without proxies: the variables of a container are meant for the calls it makes, not for itself.
        with build_opener(ProxyHandler({})).open(url, timeout=timeout_s):
            return None
    except HTTPError as error:
        why = error.read(500).decode("utf-8", "replace").strip()
        return CliError(FAILED, f"{url} answers {error.code}", why=why or None)
    except OSError as error:
        return CliError(FAILED, f"{url} does not answer", why=str(getattr(error, "reason", error)))
