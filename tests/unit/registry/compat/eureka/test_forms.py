import json
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshway.problem import Problem
from registry.compat.eureka.forms import JSON, XML, form_of, read_document
from registry.compat.eureka.info import read_info
from tests.parts.eureka import XML_INFO, info


def test_xml_unless_json_is_asked_for() -> None:
    assert form_of(None) is XML
    assert form_of("*/*") is XML
    assert form_of("application/json, application/*+json") is JSON
    assert form_of("application/xml") is XML


def test_both_forms_say_the_same() -> None:
    sent = info()["instance"] | {"metadata": {"a": '1 < 2 & "3"', "no name": "left out of XML"}}
    two = [("OTHER", []), ("ORDERS", [JSON.instance(sent)])]
    parsed = json.loads(JSON.applications_document(7, "UP_1_", two))["applications"]
    assert parsed == {
        "versions__delta": "7",
        "apps__hashcode": "UP_1_",
        "application": [{"name": "OTHER", "instance": []}, {"name": "ORDERS", "instance": [sent]}],
    }
    root = fromstring(XML.applications_document(7, "UP_1_", [("ORDERS", [XML.instance(sent)])]))
    assert root.tag == "applications"
    assert (root.findtext("versions__delta"), root.findtext("apps__hashcode")) == ("7", "UP_1_")
    instance = root.find("application/instance")
    assert instance is not None
    assert instance.findtext("instanceId") == sent["instanceId"]
    port = instance.find("port")
    assert port is not None
    assert (port.text, port.attrib) == ("8080", {"enabled": "true"})
    assert {child.tag: child.text for child in instance.find("metadata") or ()} == {"a": '1 < 2 & "3"'}


def test_a_registration_in_xml_is_the_same_registration() -> None:
    announcement = read_info(read_document(XML_INFO.encode(), "application/xml"), "orders")
    registration = announcement.registration
    assert announcement.status == "STARTING"
    assert (registration.port, registration.ports, registration.ttl_s) == (8080, {"secure": 8443}, 40)
    assert registration.zone == "z1"


def test_json_goes_to_xml_and_back() -> None:
    sent = info()["instance"]
    again = read_document(XML.instance_document(XML.instance(sent)), "application/xml")
    assert read_info(again, "orders") == read_info({"instance": sent}, "orders")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<instance>",
        b"\xff\xfe<\x00",
        b'<!DOCTYPE a [<!ENTITY b "c">]><instance>&b;</instance>',
        b"<instance>" + b"<a>" * 50 + b"</a>" * 50 + b"</instance>",
        b'<?xml version="1.0" encoding="utf-16"?><instance/>',
    ],
)
def test_what_is_no_plain_xml_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_info(read_document(body, "text/xml"), "orders")
    assert refused.value.status == 400


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_whatever_stands_in_metadata_the_xml_can_be_read(metadata: dict[str, Any]) -> None:
    root = fromstring(XML.instance_document(XML.instance({"app": "A", "metadata": metadata})))
    assert root.findtext("app") == "A"
