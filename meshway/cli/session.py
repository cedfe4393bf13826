"""What every command that asks the registry takes: flags, variables and defaults, said once."""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
import typer

from meshway.cli.failure import USAGE, CliError
from meshway.cli.guard import guarded
from meshway.settings import is_http_url

REGISTRY: Final = "http://127.0.0.1:8500"
EVERY_NAMESPACE: Final = "-"
DEFAULT_NAMESPACE: Final = "default"
_JSONPATH: Final = "jsonpath="
OutputForm = Literal["table", "wide", "json", "jsonl", "yaml", "name"]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """namespace: `-` for all of them. output: None when none was asked for, so that a command may choose its own.

    steps: of a jsonpath; output is json then. timeout_s: for each question to the registry. yes: go on without asking.
    token_file: holds what signs in at the registry; None: nothing does. ca_file: by whom its https is believed, None:
    the public authorities. context: the name of the one that is spoken to; empty: none.
    """

    registry: str = REGISTRY
    namespace: str = DEFAULT_NAMESPACE
    output: OutputForm | None = None
    steps: tuple[str | int | None, ...] | None = None
    quiet: bool = False
    verbose: bool = False
    color: bool = False
    timeout_s: float = 30.0
    yes: bool = False
    token_file: Path | None = None
    ca_file: Path | None = None
    context: str = ""

    @property
    def own_namespace(self) -> str:
        """For what lives in one namespace: the default one where all are meant."""
        return DEFAULT_NAMESPACE if self.namespace == EVERY_NAMESPACE else self.namespace

    def say(self, line: str = "") -> None:
        """For people, beside the answer: stderr, nothing with -q."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def put(self, text: str) -> None:
        """The answer itself: stdout."""
        lines = (text,) if self.steps is None else picked(text, self.steps)
        for line in lines:
            print(line, flush=True)  # noqa: T201

    def confirm(self, question: str) -> None:
        """Goes on or ends the command. Never asks when nobody can answer: then it fails, naming the flag."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise CliError(USAGE, f"{question.rstrip('?')} needs a yes, and stdin is no terminal", mend="pass --yes")
        if not typer.confirm(question, err=True):
            raise CliError(1, "nothing was done")


# Left empty where nobody says it, so that a context may.
Registry = Annotated[
    str,
    typer.Option(
        "--registry", envvar="MESHWAY_URL", metavar="URL", show_default=False, help=f"The registry. {REGISTRY}"
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", envvar="MESHWAY_NAMESPACE", show_default=False, help=f"The namespace. {DEFAULT_NAMESPACE}"
    ),
]
ContextName = Annotated[
    str,
    typer.Option(
        "--context", envvar="MESHWAY_CONTEXT", metavar="NAME", show_default=False,
        help="Of which mesh: meshway context list.",
    ),
]  # fmt: skip
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Every namespace.")]
Output = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FORM", show_default=False,
        help=f"{', '.join(get_args(OutputForm))} or jsonpath=PATH. "
        "table and wide are for people; json is the API's answer unchanged.",
    ),
]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="The answer only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="More; on errors the request id and the whole problem.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Also NO_COLOR, or no terminal.")]
Timeout = Annotated[str, typer.Option("--timeout", envvar="MESHWAY_TIMEOUT", metavar="30s", help="For each question.")]
TokenFile = Annotated[
    str,
    typer.Option(
        "--token-file", envvar="MESHWAY_TOKEN_FILE", metavar="F", show_default=False,
        help="Holds the token that signs in at the registry.",
    ),
]  # fmt: skip
CaFile = Annotated[
    str,
    typer.Option(
        "--ca-file", envvar="MESHWAY_CA_FILE", metavar="F", show_default=False,
        help="PEM: by whom a registry's https is believed, beside nobody else.",
    ),
]  # fmt: skip
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_COMMON: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("registry", Registry, ""),
    ("namespace", Namespace, ""),
    ("context", ContextName, ""),
    ("all_namespaces", AllNamespaces, False),
    ("output", Output, ""),
    ("quiet", Quiet, False),
    ("verbose", Verbose, False),
    ("no_color", NoColor, False),
    ("timeout", Timeout, "30s"),
    ("token_file", TokenFile, ""),
    ("ca_file", CaFile, ""),
    ("yes", Yes, False),
)


def common_flags() -> dict[str, bool]:
    """`--context`, `-n` and the others, and whether a value follows."""
    found: dict[str, bool] = {}
    for _, annotation, default in _COMMON:
        option = annotation.__metadata__[0]
        # Inside Annotated the first name stands where typer's signature has the default.
        found |= dict.fromkeys((option.default, *option.param_decls), default is not False)
    return found


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is the Session: it takes the common flags besides its own."""
    own = list(inspect.signature(command).parameters.values())[1:]
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in _COMMON
    ]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        flags = {name: values.pop(name) for name, _, _ in _COMMON}
        command(_session(flags), **values)

    run.__dict__.pop("__wrapped__", None)
    # typer reads the parameters from here.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + common
    )
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + common}
    return guarded(run)


def _session(flags: dict[str, Any]) -> Session:
    from meshway.cli.config_file import NO_CONTEXT, chosen

    # meshway.units is light; the registry's client is not, and comes with the first question.
    from meshway.units import parse_duration

    try:
        timeout_s = float(parse_duration(flags["timeout"]))
    except ValueError as error:
        raise CliError(USAGE, f"--timeout: {error}") from None
    form, steps = output_form(flags["output"])
    context = chosen(flags["context"])
    namespace = flags["namespace"] or context.namespace or DEFAULT_NAMESPACE
    return Session(
        registry=registry_url(flags["registry"] or context.url or REGISTRY),
        namespace=EVERY_NAMESPACE if flags["all_namespaces"] else namespace,
        output=form,
        steps=steps,
        quiet=flags["quiet"],
        verbose=flags["verbose"],
        color=sys.stdout.isatty() and not flags["no_color"] and not os.environ.get("NO_COLOR"),
        timeout_s=timeout_s or 30.0,
        yes=flags["yes"],
        token_file=Path(written) if (written := flags["token_file"] or context.token_file) else None,
        ca_file=Path(flags["ca_file"]) if flags["ca_file"] else None,
        context="" if context.name == NO_CONTEXT else context.name,
    )


def output_form(written: str) -> tuple[OutputForm | None, tuple[str | int | None, ...] | None]:
    """And the steps of a jsonpath, which is picked from the JSON. Raises CliError 2 with the nearest form there is."""
    if not written:
        return None, None
    if written.startswith(_JSONPATH):
        from meshway.cli.jsonpath import parse

        return "json", tuple(parse(written.removeprefix(_JSONPATH)))
    for form in get_args(OutputForm):
        if form == written:
            return form, None
    from meshway.model.nearest import did_you_mean

    known = did_you_mean(written, [*get_args(OutputForm), "jsonpath=PATH"])
    raise CliError(USAGE, f"-o {written} is no form{known}")


def picked(text: str, steps: Sequence[str | int | None]) -> list[str]:
    """The values of an answer in JSON. Raises CliError 2 for an answer that is none."""
    from meshway.cli.jsonpath import values

    try:
        return list(values(msgspec.json.decode(text), list(steps)))
    except msgspec.DecodeError:
        raise CliError(USAGE, "this command's answer is no JSON, and a jsonpath picks from one") from None


def registry_url(written: str) -> str:
    """`HOST:PORT` will do. Raises CliError 2."""
    if len(named := written.replace(",", " ").split()) > 1:
        raise CliError(
            USAGE,
            f"--registry names {len(named)} registries, and a command asks one",
            mend=f"--registry {named[0]}, or a name that leads to all of them; "
            "several are for meshway gateway serve: --registry URL --registry URL",
        )
    url = written if "://" in written else f"http://{written}"
    if not is_http_url(url):
        raise CliError(USAGE, f"--registry {written!r} is no URL", mend="write http://HOST:PORT")
    return url.rstrip("/")
