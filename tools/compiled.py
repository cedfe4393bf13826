"""The modules of the hot path as machine code: mypyc makes C of them, and the same sources run where that was not done.

`python -m tools.compiled` writes a copy of the planes with them to build/compiled, unless that is there and of these
sources; gateways of a checkout then run it (gateway/hot_path.py). Where the C is what it was, as after most changes,
the C compiler is not asked again. A wheel holds them when MESHWAY_COMPILE=1 is set as it is built (hatch_build.py).
Needs mypy, setuptools, a C compiler and Python's headers; with --or-skip it says SKIPPED where they are missing.
docs/decisions/2026-11-28-the-hot-path-is-compiled.md.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gateway import hot_path

ROOT = Path(__file__).resolve().parent.parent
WANTED = "MESHWAY_COMPILE"
FOLDER = ROOT / hot_path.FOLDER
FOR_WHEEL = ROOT / "build" / "wheel"
OR_SKIP = "--or-skip"
IN_CHECKOUT = "1"  # half the time of 2 to make, and 3 % more of a call
NEEDS = ("mypy==2.4.1", "setuptools>=66")
MOST_S = 900
OF_C = "made-of-c"  # beside the stamp: the digest of the C that the machine code is of
# What a call runs through. What may stand in them: tests/unit/tools/test_compiled.py.
MODULES = (
    "meshway/http1/authority.py",
    "meshway/http1/b3.py",
    "meshway/http1/block_memo.py",
    "meshway/http1/collect.py",
    "meshway/http1/field_lines.py",
    "meshway/http1/fields.py",
    "meshway/http1/framing.py",
    "meshway/http1/head.py",
    "meshway/http1/message.py",
    "meshway/http1/start_line.py",
    "meshway/histogram.py",
    "gateway/balancing/least_request.py",
    "gateway/balancing/pick.py",
    "gateway/balancing/random.py",
    "gateway/compiler/split.py",
    "gateway/exchange.py",
    "gateway/filters/headers.py",
    "gateway/filters/limit.py",
    "gateway/filters/rate_limit.py",
    "gateway/grpc/status.py",
    "gateway/limits/key.py",
    "gateway/limits/token_bucket.py",
    "gateway/relay/attempt.py",
    "gateway/relay/call.py",
    "gateway/relay/comparing.py",
    "gateway/relay/deadline.py",
    "gateway/relay/encoding.py",
    "gateway/relay/ending.py",
    "gateway/relay/explained.py",
    "gateway/relay/forwarding.py",
    "gateway/relay/further_attempts.py",
    "gateway/relay/grpc_outcome.py",
    "gateway/relay/mirror.py",
    "gateway/relay/passing.py",
    "gateway/relay/refusals.py",
    "gateway/relay/relay.py",
    "gateway/relay/replay.py",
    "gateway/relay/request_body.py",
    "gateway/relay/retry.py",
    "gateway/relay/trace.py",
    "gateway/relay/translation.py",
    "gateway/relay/tunnel.py",
    "gateway/relay/websocket_tunnel.py",
    "gateway/routing/path.py",
    "gateway/routing/pattern_routes.py",
    "gateway/routing/spelled_tables.py",
    "gateway/routing/table.py",
    "gateway/telemetry/access_line.py",
    "gateway/telemetry/access_log.py",
    "gateway/telemetry/finish.py",
    "gateway/upstream/breaker.py",
    "gateway/upstream/cluster.py",
    "gateway/upstream/endpoint.py",
    "gateway/upstream/guards.py",
    "gateway/upstream/outlier.py",
    "gateway/upstream/pool.py",
    "gateway/upstream/ratio_window.py",
    "gateway/upstream/retry_budget.py",
    "gateway/upstream/shared_pool.py",
    "gateway/wire/entrance.py",
    "gateway/wire/heads.py",
    "gateway/wire/http1/answering.py",
    "gateway/wire/http1/client.py",
    "gateway/wire/http1/server.py",
    "gateway/wire/http2/client.py",
    "gateway/wire/http2/codec.py",
    "gateway/wire/http2/frame_guard.py",
    "gateway/wire/http2/questions.py",
    "gateway/wire/http2/server.py",
    "gateway/wire/http2/server_codec.py",
    "gateway/wire/http2/upstream.py",
    "gateway/wire/http3/server.py",
    "gateway/wire/interfaces.py",
    "gateway/wire/listener_context.py",
    "gateway/wire/multiplexed/answer_reader.py",
    "gateway/wire/multiplexed/asking.py",
    "gateway/wire/multiplexed/connect_stream.py",
    "gateway/wire/multiplexed/connection.py",
    "gateway/wire/multiplexed/fields.py",
    "gateway/wire/multiplexed/grpc_reply.py",
    "gateway/wire/multiplexed/messages.py",
    "gateway/wire/multiplexed/request_reader.py",
    "gateway/wire/multiplexed/slow_head.py",
    "gateway/wire/multiplexed/stream.py",
    "gateway/wire/places.py",
    "gateway/wire/websocket/frame_meter.py",
)
_ASSIGNED = re.compile(r"\s+(cpy_r_r\d+) = ")
_CHECKED = re.compile(r'CPy_TypeError\("None", (cpy_r_r\d+)\)')
_CALLED = re.compile(r" = \w*[Cc]all\w*\(")
_SETTINGS = "[mypy]\nignore_missing_imports = True\nfollow_imports = silent\n"


class CompileFailed(Exception):
    """Its text says what is missing or went wrong, and the mend."""


class Impossible(CompileFailed):
    """Here, as a compiler, headers or a package are missing."""


def is_current(folder: Path = FOLDER) -> bool:
    try:
        return (folder / hot_path.STAMP).read_text() == hot_path.digest(ROOT)
    except OSError:
        return False


def build(folder: Path, level: str = "2") -> list[Path]:
    """Fills folder with a copy of the planes and the compiled modules beside their sources; returns these, relative.
    What was there is used until all is made. level: of the C compiler's optimizing. Raises CompileFailed.
    """
    _refuse_missing()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=folder.name, dir=folder.parent) as scratch:
        copy = Path(scratch) / "copy"
        made = _build_in(copy, level, folder)
        shutil.rmtree(folder, ignore_errors=True)
        copy.rename(folder)
    return made


def _build_in(folder: Path, level: str, before: Path) -> list[Path]:
    for package in hot_path.PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))
    made_of = hot_path.digest(folder)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "mypy.ini"
        settings.write_text(_SETTINGS)
        command = [sys.executable, str(Path(__file__).resolve()), "--here", scratch, level, str(before), *MODULES]
        environment = {**os.environ, "MYPYPATH": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        run = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MOST_S, check=False
        )
    if run.returncode:
        raise CompileFailed(f"the hot path could not be compiled:\n{(run.stdout + run.stderr)[-3000:]}")
    (folder / hot_path.STAMP).write_text(made_of)
    return _machine_code(folder)


def _machine_code(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))


def _refuse_missing() -> None:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    if not shutil.which(compiler) or not headers.exists():
        raise Impossible(f"no {compiler} or no {headers}\nmend:  apt install gcc libc6-dev python3-dev")
    try:
        import mypyc  # noqa: F401 - only whether it is there
        import setuptools  # noqa: F401
    except ImportError as error:
        raise Impossible(f"{error}\nmend:  pip install {' '.join(NEEDS)}") from None


def _compile_here(scratch: str, level: str, before: Path, modules: list[str]) -> None:
    """In the folder of the copy, by a process of its own: mypyc and setuptools speak to sys.argv and the cwd.

    before: where machine code may be, perhaps of the same C.
    """
    from mypyc.build import mypycify
    from setuptools import setup

    extensions = mypycify(
        [f"--config-file={scratch}/mypy.ini", *modules],
        group_name="meshway",
        opt_level=level,
        debug_level="0",
        target_dir=f"{scratch}/c",
    )
    of_c = digest_of_c(Path(scratch) / "c", level)
    Path(OF_C).write_text(of_c)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    if take_over(before, Path(), of_c, [f"{each.name.replace('.', '/')}{suffix}" for each in extensions]):
        return
    _refuse_frozen_readings(Path(scratch) / "c")
    setup(
        name="meshway",
        packages=[],
        ext_modules=extensions,
        script_args=["build_ext", "--inplace", f"--build-lib={scratch}/lib", f"--build-temp={scratch}/temp"],
    )


def digest_of_c(folder: Path, level: str) -> str:
    """Of all that is compiled, and of what compiles it: what is linked beside it is mypyc's."""
    found = hashlib.sha256(f"{sys.version} {NEEDS} {_compiler()} {level}".encode())
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".c", ".h"}):
        found.update(f"\0{path.relative_to(folder).as_posix()}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def _compiler() -> str:
    """Whoever compiles, with the version: another one may make other code of the same C."""
    command = sysconfig.get_config_var("CC") or "cc"
    run = subprocess.run([*command.split(), "--version"], capture_output=True, text=True, timeout=60, check=False)
    return f"{command} {run.stdout}"


def take_over(before: Path, folder: Path, of_c: str, modules: Sequence[str]) -> bool:
    """Copies machine code of the same C. modules: all there is to be, relative. False: one is missing, or of others."""
    try:
        if (before / OF_C).read_text() != of_c or not all((before / made).is_file() for made in modules):
            return False
    except OSError:
        return False
    for made in modules:
        shutil.copy2(before / made, folder / made)
    return True


def _refuse_frozen_readings(folder: Path) -> None:
    """mypy holds an attribute for None from a test of it to the end of the block, whatever is called in between; what
    is compiled then raises TypeError once it is something else. Each such reading is in the C as a check for None of
    what no call has returned.
    """
    found = []
    for source in folder.rglob("*.c"):
        assigned: dict[str, str] = {}
        for line in source.read_text().splitlines():
            made, checked = _ASSIGNED.match(line), _CHECKED.search(line)
            if made:
                assigned[made[1]] = line
            if checked and not _CALLED.search(assigned[checked[1]]):
                found.append(assigned[checked[1]].strip())
    if found:
        sys.exit("read as None after a test for it, though a call may have set it:\n" + "\n".join(sorted(found)))


def main() -> None:
    where = FOLDER.relative_to(ROOT)
    if is_current():
        print(f"{where} is of these sources")
        return
    try:
        made = build(FOLDER, IN_CHECKOUT)
    except Impossible as missing:
        if OR_SKIP not in sys.argv:
            sys.exit(f"error: {missing}")
        shutil.rmtree(FOLDER, ignore_errors=True)  # of other sources
        print(f"SKIPPED machine code, so what follows runs interpreted: {missing}")
        return
    except CompileFailed as failed:
        sys.exit(f"error: {failed}")
    print(f"{len(made)} compiled modules in {where}: gateways of this checkout run them")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        _compile_here(sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5:])
    else:
        main()
