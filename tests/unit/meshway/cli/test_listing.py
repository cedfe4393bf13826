"""Lists for people."""

from typing import Any

from meshway.cli.listing import COLUMNS
from meshway.model.kinds import KINDS


def row(kind: str, spec: dict[str, Any]) -> dict[str, str]:
    item = {"kind": kind, "metadata": {"name": "a"}, "spec": spec}
    return {title: column(item) for title, column in COLUMNS[kind].items()}


def test_each_kind_can_be_listed() -> None:
    assert KINDS.keys() - COLUMNS.keys() == set()


def test_secrets_are_told_by_names_and_consumers_by_what_they_prove() -> None:
    versions = [{"fingerprint": "00aa", "keys": ["a", "b", "c", "d"]}, {"fingerprint": "00bb", "keys": ["e"]}]
    shown = row("Secret", {"type": "opaque", "keep": True, "versions": versions})
    assert (shown["TYPE"], shown["HOLDS"], shown["FINGERPRINT"]) == ("opaque", "a, b, c and 1 more", "00aa, 00bb")
    credentials = [{"api_key": {"id": "abcdefgh", "hash": "x"}}, {"jwt": {"issuer": "i", "subject": "ada"}}]
    shown = row("Consumer", {"credentials": credentials, "groups": ["gold"]})
    assert (shown["CREDENTIALS"], shown["GROUPS"]) == ("api_key abcdefgh, jwt ada", "gold")
    assert row("Consumer", {})["CREDENTIALS"] == "-"


def test_certificates_are_told_by_where_they_come_from() -> None:
    assert row("Certificate", {"secret": "shop-tls"})["FROM"] == "secret shop-tls"
    assert row("Certificate", {"secret": {"secret": "shop-tls"}})["FROM"] == "secret shop-tls"
    assert row("Certificate", {"files": {"certificate": "a.pem", "key": "b.pem"}})["FROM"] == "file a.pem"
