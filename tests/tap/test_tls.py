"""TLS, with real certificates of an authority of our own: whom the tap trusts, and what cannot change that."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tap_testing import Reply, Service, Tap, only

REFUSED = "No trusted TLS connection to localhost."
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Make the authority that the user trusts."""
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the authority's certificate to a file."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def showing(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the server's side of TLS with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return the server's side of TLS with a certificate that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(YESTERDAY)
        .not_valid_after(YESTERDAY + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "self-signed.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def trusted(authority: trustme.CA) -> Iterator[Service]:
    """Run a service with a certificate of the authority."""
    with Service(showing(authority.issue_cert("localhost"))) as service:
        yield service


def test_a_certificate_of_the_bundle_is_trusted(trusted: Service, bundle: Path, tap: Tap) -> None:
    assert tap(trusted.settings(ca_bundle=str(bundle)), "--test").code == 0


REFUSALS = {
    "self-signed": "self-signed certificate",
    "of another authority": "unable to get local issuer certificate",
    "for another host": "not valid for 'localhost'",
    "expired": "certificate has expired",
    "not yet valid": "certificate is not yet valid",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_certificate_is_refused_before_anything_is_said_that_is(
    case: str, authority: trustme.CA, bundle: Path, tap: Tap, tmp_path: Path
) -> None:
    tomorrow = YESTERDAY + timedelta(days=2)
    makers: dict[str, Callable[[], ssl.SSLContext]] = {
        "self-signed": lambda: self_signed(tmp_path),
        "of another authority": lambda: showing(trustme.CA().issue_cert("localhost")),
        "for another host": lambda: showing(authority.issue_cert("elsewhere.example")),
        "expired": lambda: showing(
            authority.issue_cert("localhost", not_before=YESTERDAY - timedelta(days=9), not_after=YESTERDAY)
        ),
        "not yet valid": lambda: showing(
            authority.issue_cert("localhost", not_before=tomorrow, not_after=tomorrow + timedelta(days=9))
        ),
    }
    with Service(makers[case]()) as service:
        done = tap(service.settings(ca_bundle=str(bundle)))
    assert done.code == 1
    assert REFUSED in done.errors[-1]
    assert REFUSALS[case] in done.errors[-1]
    assert "put the CA's certificate into a PEM file" in done.errors[-1]
    assert service.calls == [], "no credentials for a server that nobody knows"
    assert done.of("RECORD") == []


def test_no_variable_of_the_environment_adds_trust_or_takes_the_check_away(
    trusted: Service, bundle: Path, tap: Tap
) -> None:
    environment = {
        "REQUESTS_CA_BUNDLE": str(bundle),
        "CURL_CA_BUNDLE": str(bundle),
        "SSL_CERT_FILE": str(bundle),
        "SSL_CERT_DIR": str(bundle.parent),
        "PYTHONHTTPSVERIFY": "0",
    }
    done = tap(trusted.settings(), environment=environment)
    assert done.code == 1
    assert REFUSED in done.errors[-1]
    assert trusted.calls == []


@pytest.mark.parametrize("value", ["", "/nowhere.pem", "0", "false"])
def test_no_variable_of_the_environment_takes_the_bundle_of_the_settings_away(
    value: str, trusted: Service, bundle: Path, tap: Tap
) -> None:
    environment = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), value)
    assert tap(trusted.settings(ca_bundle=str(bundle)), "--test", environment=environment).code == 0


def test_credentials_are_not_carried_to_where_a_redirect_points(
    trusted: Service, bundle: Path, tap: Tap, catalog: dict[str, Any]
) -> None:
    statuses = ("301", "302", "303", "307", "308")
    with Service() as elsewhere:
        for status in statuses:
            redirect = Reply(status=int(status), headers={"Location": elsewhere.url})
            trusted.replies["GetTaxCodeList", status] = [redirect]
        done = tap(
            trusted.settings(ca_bundle=str(bundle), entities=list(statuses)),
            catalog=only(catalog, "tax_rates"),
        )
        assert done.code == 1
        for status in statuses:
            assert any(f"The server redirects (HTTP {status})" in line for line in done.errors)
        trusted.replies["TokenGet"] = [redirect]
        assert tap(trusted.settings(ca_bundle=str(bundle))).code == 1
        assert elsewhere.connections == 0
