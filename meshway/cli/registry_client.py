"""Questions to the registry, and its refusals in the command's words."""

import re
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from meshway.cli.failure import CONFLICT, FAILED, INVALID, NOT_ALLOWED, NOT_FOUND, UNREACHABLE, USAGE, CliError
from meshway.cli.session import Session
from meshway.client.errors import problem_of
from meshway.problem import Problem
from meshway.settings import SettingError, read_secret

_CONNECT_S: Final = 2.0
_PAGE: Final = 1000
_ERRNO: Final = re.compile(r"\A\[Errno -?\d+\] ")
_CODES: Final = {
    400: INVALID, 413: INVALID, 422: INVALID, 401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND, 409: CONFLICT,
    412: CONFLICT, 502: UNREACHABLE, 503: UNREACHABLE, 504: UNREACHABLE,
}  # fmt: skip


class RegistryClient:
    """Blocking, for one command. Raises CliError; `answer` leaves the judging to the caller."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._http = httpx.Client(
            base_url=session.registry,
            headers=credentials(session),
            verify=verified_by(session, session.registry),
            trust_env=False,
            timeout=httpx.Timeout(session.timeout_s, connect=_CONNECT_S),
        )

    def answer(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: object | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, whatever its status. body: plain values, sent as JSON."""
        content = None if body is None else msgspec.json.encode(body)
        sent = ({"content-type": "application/json"} if content is not None else {}) | (headers or {})
        try:
            response = self._http.request(method, path, params=params, content=content, headers=sent)
        except httpx.TransportError as error:
            raise unreachable(self._session.registry, error) from error
        self._refuse_others(response)
        return response

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """An answer below 400."""
        response = self.answer(method, path, **request)
        if response.status_code >= 400:
            raise refused(response)
        return response

    def download(self, path: str, write: Callable[[bytes], object]) -> None:
        """A long answer, piece by piece. Raises CliError also for one that was cut off."""
        try:
            with self._http.stream("GET", path) as response:
                self._refuse_others(response)
                if response.status_code >= 400:
                    response.read()
                    raise refused(response)
                for piece in response.iter_raw():
                    write(piece)
        except httpx.RemoteProtocolError as error:
            raise CliError(FAILED, f"the answer of {self._session.registry} was cut off", mend="try again") from error
        except httpx.TransportError as error:
            raise unreachable(self._session.registry, error) from error

    def _refuse_others(self, response: httpx.Response) -> None:
        """Every answer of a registry tells its revision; above 499 a proxy may speak for one that is away."""
        if response.status_code < 500 and "meshway-revision" not in response.headers:
            raise CliError(
                UNREACHABLE,
                f"what answers at {self._session.registry} is no Meshway registry",
                why=f"it answered {response.status_code} to {response.request.url.path} without Meshway-Revision",
                mend="name the registry: --registry URL, such as http://127.0.0.1:8500",
            )

    def read(self, path: str, **params: str) -> Any:
        """The JSON of a GET."""
        return msgspec.json.decode(self.ask("GET", path, params=params).content)

    def items(self, path: str, **params: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.read(path, limit=str(_PAGE), **params, **cursor)
            yield from page["items"]
            if not page.get("next"):
                return
            cursor = {"cursor": page["next"]}


def credentials(session: Session) -> dict[str, str]:
    """Raises CliError 3."""
    if session.token_file is None:
        return {}
    try:
        return {"authorization": f"Bearer {read_secret(session.token_file)}"}
    except SettingError as error:
        raise CliError(NOT_ALLOWED, str(error), mend="name a file that holds a token: --token-file F") from error


def verified_by(session: Session, url: str) -> ssl.SSLContext | bool:
    """What httpx verifies by whoever answers at `url`. Raises CliError."""
    if session.ca_file is None:
        # In the clear nobody is believed, and no list of authorities is read for that.
        return True if url.lower().startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    from meshway.client.errors import MeshwayError
    from meshway.client.registry import verifying

    try:
        return verifying(session.ca_file)
    except MeshwayError as error:
        raise CliError(USAGE, error.line, mend="--ca-file F, PEM") from error


def document_path(namespace: str, plural: str, name: str | None = None) -> str:
    path = f"/v1/namespaces/{quote(namespace, safe='')}/{plural}"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def unreachable(registry: str, error: Exception) -> CliError:
    return CliError(
        UNREACHABLE,
        f"registry at {registry} does not answer",
        why=transport_reason(error),
        mend="start it (meshway up) or name another: --registry URL",
    )


def transport_reason(error: Exception) -> str:
    """httpx's words without the number of the error: `connection refused`."""
    why = _ERRNO.sub("", str(error)) or type(error).__name__
    return why[0].lower() + why[1:]


def refused(response: httpx.Response) -> CliError:
    """The problem document of an answer above 399, as a person reads it."""
    return problem_error(problem_of(response), response)


def problem_error(problem: Problem, response: httpx.Response | None = None) -> CliError:
    code = _CODES.get(problem.status, INVALID if problem.status < 500 else FAILED)
    messages = [error.message for error in problem.errors]
    what = problem.detail or problem.title
    if len(messages) > 1:
        what = f"{problem.title}: {len(messages)} errors"
    return CliError(
        code,
        what,
        details=tuple(messages) if len(messages) > 1 else (),
        mend=problem.mend,
        verbose=None if response is None else problem_text(response),
    )


def problem_text(response: httpx.Response) -> str | None:
    """The whole problem document, with the request's id, for -v."""
    return msgspec.json.format(response.text) if "json" in response.headers.get("content-type", "") else None
