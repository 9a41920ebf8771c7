"""The target that one writes first: the Singer SDK's RecordSink, a requests session, one record after the other.

It is a fair upsert: it reads what ExpenseIn has once, matches by reference, creates what is not there, replaces what has
another name, leaves the rest alone. With ``retries`` it repeats what fails, as the libraries' examples do.

    python sdk_target.py --config config.json < messages
"""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import RecordSink
from urllib3.util import Retry

STATUSES = (429, 500, 502, 503, 504)


class SupplierSink(RecordSink):
    """Suppliers, one request each."""

    def setup(self) -> None:
        """Open the session, and read what is there."""
        super().setup()
        self.url = self.config["api_url"] + "suppliers"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"ApiKey {self.config['api_key']}"
        retries = Retry(
            self.config["retries"], status_forcelist=STATUSES, allowed_methods=None, backoff_factor=0.01
        )
        self.session.mount("http://", HTTPAdapter(max_retries=retries))
        self.known = {one["reference"]: one for one in self.asked("GET", self.url)}

    def asked(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request; return what is answered."""
        answer = self.session.request(method, url, json=body, timeout=300)
        answer.raise_for_status()
        return answer.json()

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002
        """Create or update."""
        wanted = {"reference": record["code"], "name": record["name"]}
        there = self.known.get(record["code"])
        try:
            if there is None:
                self.known[record["code"]] = self.asked("POST", self.url, wanted)
            elif there["name"] != record["name"]:
                self.asked("PUT", f"{self.url}/{there['id']}", there | wanted)
        except requests.RequestException:
            self.logger.exception("%s was not written", record["code"])


class TargetPlain(Target):
    """The target."""

    name = "target-plain"
    default_sink_class = SupplierSink
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True, secret=True),
        th.Property("retries", th.IntegerType, default=0),
    ).to_dict()


if __name__ == "__main__":
    TargetPlain.cli()
