"""The tap that one writes first: zeep makes the client from the WSDL, the Singer SDK does the rest, all by default.

It reads the same operation as ours, and offers all fields of a supplier; the schema is taken from the WSDL.

    python zeep_tap.py --config config.json [--catalog catalog.json]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th
from zeep import Client
from zeep.helpers import serialize_object
from zeep.xsd import Boolean, DateTime, Decimal, Int, Short

TYPES: dict[type, type[th.JSONTypeHelper[Any]]] = {
    Boolean: th.BooleanType,
    DateTime: th.DateTimeType,
    Decimal: th.NumberType,
    Int: th.IntegerType,
    Short: th.IntegerType,
}


class Suppliers(Stream):
    """The suppliers of one entity after the other."""

    name = "suppliers"
    primary_keys = ("Code",)
    _tap: TapZeep

    @cached_property
    def schema(self) -> dict[str, Any]:
        """What the WSDL says of a supplier."""
        fields = self._tap.client.get_type("ns0:Supplier").elements
        return th.PropertiesList(
            *(th.Property(name, TYPES.get(type(field.type), th.StringType)) for name, field in fields)
        ).to_dict()

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        """Ask for all suppliers."""
        service = self._tap.client.service
        token = service.TokenGet(self.config["client_id"], self.config["client_secret"])
        for entity in self.config["entities"]:
            header = {"Entity": entity, "AccessToken": token.Result.AccessToken}
            answer = service.GetSupplierList(_soapheaders={"AiqSoapHeader": header})
            result = getattr(answer, "GetSupplierListResult", answer).Result
            yield from serialize_object(result.Supplier, dict)


class TapZeep(Tap):
    """The tap."""

    name = "tap-zeep"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("client_id", th.StringType, required=True),
        th.Property("client_secret", th.StringType, required=True),
        th.Property("entities", th.ArrayType(th.StringType), required=True),
    ).to_dict()

    @cached_property
    def client(self) -> Client:
        """The service."""
        return Client(self.config["api_url"] + "?WSDL")

    def discover_streams(self) -> list[Stream]:
        """There is one."""
        return [Suppliers(self)]


if __name__ == "__main__":
    TapZeep.cli()
