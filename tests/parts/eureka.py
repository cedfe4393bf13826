"""InstanceInfo as Eureka's clients send it."""

from __future__ import annotations

from typing import Any


def info(**changed: Any) -> dict[str, Any]:
    """The JSON form with its envelope; changed: members of the instance, None leaves one out."""
    instance: dict[str, Any] = {
        "instanceId": "10.0.0.7:orders:8080",
        "hostName": "orders-7.example",
        "app": "ORDERS",
        "ipAddr": "10.0.0.7",
        "status": "UP",
        "overriddenstatus": "UNKNOWN",
        "port": {"$": 8080, "@enabled": "true"},
        "securePort": {"$": 8443, "@enabled": "false"},
        "countryId": 1,
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 10, "durationInSecs": 40},
        "metadata": {"zone": "z1", "management.port": "8081"},
        "homePageUrl": "http://orders-7.example:8080/",
        "vipAddress": "orders,orders-v1",
        "secureVipAddress": "orders-tls",
        "isCoordinatingDiscoveryServer": "false",
        "lastUpdatedTimestamp": "1700000000500",
        "lastDirtyTimestamp": "1700000000000",
    }
    changed_instance = {**instance, **changed}
    return {"instance": {name: value for name, value in changed_instance.items() if value is not None}}


XML_INFO = """<?xml version="1.0" encoding="UTF-8"?>
<instance>
  <instanceId>10.0.0.7:orders:8080</instanceId>
  <hostName>orders-7.example</hostName>
  <app>ORDERS</app>
  <ipAddr>10.0.0.7</ipAddr>
  <status>STARTING</status>
  <port enabled="true">8080</port>
  <securePort enabled="true">8443</securePort>
  <dataCenterInfo class="com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"><name>MyOwn</name></dataCenterInfo>
  <leaseInfo><renewalIntervalInSecs>10</renewalIntervalInSecs><durationInSecs>40</durationInSecs></leaseInfo>
  <metadata><zone>z1</zone></metadata>
  <vipAddress>orders</vipAddress>
</instance>
"""
