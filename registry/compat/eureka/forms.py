"""The two forms of Eureka's documents, JSON and XML, over one shape.

The shape is that of its JSON: a key that begins with @ is an attribute, $ is the text beside attributes, a list is an
element that repeats. Source: the samples of Eureka's REST wiki page and Netflix/eureka's JSON codec.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Protocol
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.sax.saxutils import escape, quoteattr

import msgspec

from registry.compat.eureka.info import refused
from registry.manners.json_text import parse_json

# XML 1.0 §2.3, without the colon, which would begin a namespace.
_NAME: Final = re.compile(r"[A-Za-z_][-.\w]*", re.ASCII)
# §2.2: what no document may hold, escaped or not.
_NO_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_ATTRIBUTES: Final = ("@class", "@enabled")
_DECLARATIONS: Final = ("<!DOCTYPE", "<!ENTITY")
_MAX_DEPTH: Final = 20
_encode: Final = msgspec.json.Encoder().encode


Applications = Iterable[tuple[str, Iterable[bytes]]]
"""Names and instances."""


class Form(Protocol):
    """Documents are made of instances that are ready, so that a large one can be made a few at a time."""

    content_type: bytes

    def instance(self, info: dict[str, Any]) -> bytes:
        """InstanceInfo as it stands in a list."""

    def instance_document(self, instance: bytes) -> bytes: ...

    def application_document(self, name: str, instances: Iterable[bytes]) -> bytes: ...

    def applications_document(self, version: int, hashcode: str, applications: Applications) -> bytes: ...


class JsonForm:
    content_type: bytes = b"application/json"

    def instance(self, info: dict[str, Any]) -> bytes:
        return _encode(info)

    def instance_document(self, instance: bytes) -> bytes:
        return b'{"instance":%b}' % instance

    def application_document(self, name: str, instances: Iterable[bytes]) -> bytes:
        return b'{"application":%b}' % b"".join(self._application(name, instances))

    def applications_document(self, version: int, hashcode: str, applications: Applications) -> bytes:
        head = b'{"applications":{"versions__delta":"%d","apps__hashcode":%b,"application":[' % (
            version,
            _encode(hashcode),
        )
        parts = [head]
        for name, instances in applications:
            if len(parts) > 1:
                parts.append(b",")
            parts += self._application(name, instances)
        parts.append(b"]}}")
        return b"".join(parts)

    def _application(self, name: str, instances: Iterable[bytes]) -> list[bytes]:
        return [b'{"name":%b,"instance":[' % _encode(name), b",".join(instances), b"]}"]


class XmlForm:
    content_type: bytes = b"application/xml"

    def instance(self, info: dict[str, Any]) -> bytes:
        return _element("instance", info).encode()

    def instance_document(self, instance: bytes) -> bytes:
        return _XML_HEAD + instance

    def application_document(self, name: str, instances: Iterable[bytes]) -> bytes:
        return b"".join([_XML_HEAD, *self._application(name, instances)])

    def applications_document(self, version: int, hashcode: str, applications: Applications) -> bytes:
        head = _element("versions__delta", version) + _element("apps__hashcode", hashcode)
        parts = [_XML_HEAD, b"<applications>", head.encode()]
        for name, instances in applications:
            parts += self._application(name, instances)
        parts.append(b"</applications>")
        return b"".join(parts)

    def _application(self, name: str, instances: Iterable[bytes]) -> list[bytes]:
        return [b"<application>", _element("name", name).encode(), *instances, b"</application>"]


JSON: Final[Form] = JsonForm()
XML: Final[Form] = XmlForm()


def form_of(accept: str | None) -> Form:
    """Eureka's rule: XML, unless JSON is asked for."""
    return JSON if accept is not None and "json" in accept.lower() else XML


def read_document(body: bytes, content_type: str | None) -> object:
    """A body in the JSON shape, with its envelope. Raises Problem 400."""
    if content_type is not None and "xml" in content_type.lower():
        return _read_xml(body)
    return parse_json(body)


def _element(name: str, value: object) -> str:
    """A name that XML cannot have (of metadata) is left out: its JSON form holds it."""
    if not _is_xml_name(name):
        return ""
    if not isinstance(value, dict):
        return f"<{name}>{_escaped(str(value))}</{name}>"
    attributes = "".join(
        [f" {key[1:]}={quoteattr(_characters(str(value[key])))}" for key in _ATTRIBUTES if key in value]
    )
    text = _escaped(str(value["$"])) if "$" in value else ""
    children = "".join([_element(key, part) for key, part in value.items() if key[:1] not in ("@", "$")])
    return f"<{name}{attributes}>{text}{children}</{name}>"


@lru_cache(4096)
def _is_xml_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _escaped(text: str) -> str:
    return escape(text if text.isascii() and text.isprintable() else _characters(text))


def _characters(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", text)


def _read_xml(body: bytes) -> object:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise refused("the body is no UTF-8") from None
    if any(declaration in text for declaration in _DECLARATIONS):  # entities can grow beyond any bound
        raise refused("the body declares a document type, which is not read")
    try:
        root = fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except (ParseError, ValueError) as error:
        raise refused(f"the body is no XML: {error}") from None
    return {root.tag: _shape(root, _MAX_DEPTH)}


def _shape(element: Element, depth: int) -> object:
    if depth == 0:
        raise refused(f"the body is deeper than {_MAX_DEPTH} elements")
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    shape: dict[str, object] = {f"@{name}": value for name, value in element.attrib.items()}
    if text:
        shape["$"] = text
    for child in element:
        shape[child.tag] = _shape(child, depth - 1)
    return shape
