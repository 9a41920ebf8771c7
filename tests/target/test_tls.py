"""Real TLS, good and bad: a certificate that is not in order gets no key, and no environment variable changes that."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import Unreachable
from target_expensein.api.profile import load_profile

KEY = "key-that-nobody-else-may-see"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
HOST = "localhost"
FAR = "api.expensein.test"

Configure = Callable[[ssl.SSLContext], None]


class TlsServer:
    """A TLS server with one certificate; as a proxy it answers CONNECT first, then plays the server itself.

    Attributes:
        heard: What came in, decrypted, and in the clear for a proxy.
    """

    def __init__(self, configure: Configure, *, proxy: bool = False) -> None:
        """Listen on a free port."""
        self.heard: list[bytes] = []
        self._proxy = proxy
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        configure(self._context)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"https://{HOST}:{self.port}/1.0/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # of accept, when the test is over
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    if self._proxy:
                        self._hear(connection)
                        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    with self._context.wrap_socket(connection, server_side=True) as secure:
                        self._hear(secure)
                        secure.sendall(OK)

    def _hear(self, connection: socket.socket) -> None:
        if said := connection.recv(65536):
            self.heard.append(said)

    def close(self) -> None:
        """Stop."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def serve() -> Iterator[Callable[..., TlsServer]]:
    running: list[TlsServer] = []

    def start(configure: Configure, *, proxy: bool = False) -> TlsServer:
        running.append(TlsServer(configure, proxy=proxy))
        return running[-1]

    yield start
    for server in running:
        server.close()


def self_signed(folder: Path) -> Configure:
    """A certificate for the right host that is its own authority's, and of no use as one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return lambda context: context.load_cert_chain(path)


def read(url: str, ca_bundle: str | None) -> list[object]:
    with ExpenseInClient(
        url, KEY, load_profile(), concurrency=1, timeout=5, ca_bundle=ca_bundle, sleep=lambda _: None
    ) as client:
        return list(client.list("departments"))


@pytest.fixture(params=["self-signed", "wrong host", "expired", "untrusted", "built-in list"])
def bad(
    request: pytest.FixtureRequest, authority: trustme.CA, bundle: str, tmp_path: Path
) -> tuple[Configure, str | None]:
    """A certificate that is not in order, and the authorities that are trusted."""
    match request.param:
        case "self-signed":
            return self_signed(tmp_path), bundle
        case "wrong host":
            return authority.issue_cert("api.expensein.com").configure_cert, bundle
        case "expired":
            return authority.issue_cert(
                HOST, not_before=PAST, not_after=PAST.replace(year=2021)
            ).configure_cert, bundle
        case "untrusted":
            return trustme.CA().issue_cert(HOST).configure_cert, bundle
        case _:
            return authority.issue_cert(HOST).configure_cert, None


def test_a_certificate_in_order_is_trusted(
    serve: Callable[..., TlsServer], authority: trustme.CA, bundle: str
) -> None:
    server = serve(authority.issue_cert(HOST).configure_cert)
    assert read(server.url, bundle) == []
    assert KEY.encode() in server.heard[0]


def test_a_certificate_that_is_not_in_order_gets_nothing(
    serve: Callable[..., TlsServer], bad: tuple[Configure, str | None]
) -> None:
    configure, trusted = bad
    server = serve(configure)
    with pytest.raises(Unreachable, match=r"certificate is not trusted.*ca_bundle"):
        read(server.url, trusted)
    assert server.heard == []


OFF = {
    **dict.fromkeys(("PYTHONHTTPSVERIFY", "REQUESTS_VERIFY", "SSL_VERIFY", "CURL_INSECURE"), "0"),
    **dict.fromkeys(("NODE_TLS_REJECT_UNAUTHORIZED", "GIT_SSL_NO_VERIFY", "VERIFY_SSL"), "0"),
}


@pytest.mark.parametrize("empty", [True, False], ids=["no authorities", "its own authority"])
def test_no_environment_variable_makes_it_trusted(
    serve: Callable[..., TlsServer],
    bad: tuple[Configure, str | None],
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    empty: bool,
) -> None:
    configure, trusted = bad
    server = serve(configure)
    for name, value in OFF.items():
        monkeypatch.setenv(name, value)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "" if empty else bundle)
    monkeypatch.setenv("SSL_CERT_DIR", "" if empty else str(Path(bundle).parent))
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        read(server.url, trusted)
    assert server.heard == []


def test_an_environment_variable_for_other_programs_does_not_shut_expensein_out(
    serve: Callable[..., TlsServer], authority: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "/nowhere.pem")
    server = serve(authority.issue_cert(HOST).configure_cert)
    assert read(server.url, bundle) == []


@pytest.mark.parametrize("trusted", [True, False])
def test_a_proxy_of_the_environment_carries_the_call_but_sees_no_key_and_vouches_for_nobody(
    serve: Callable[..., TlsServer],
    authority: trustme.CA,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    trusted: bool,
) -> None:
    server = serve(authority.issue_cert(FAR).configure_cert, proxy=True)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    url = f"https://{FAR}/1.0/"
    if trusted:
        assert read(url, bundle) == []
        assert KEY.encode() in server.heard[1]
    else:
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            read(url, None)
        assert len(server.heard) == 1
    assert server.heard[0].startswith(f"CONNECT {FAR}:443".encode())
    assert KEY.encode() not in server.heard[0]


def test_a_server_that_speaks_no_tls_gets_nothing(bundle: str) -> None:
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(65536))
            connection.sendall(OK)

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(Unreachable), ExpenseInClient(
        f"https://127.0.0.1:{listener.getsockname()[1]}/", KEY, load_profile(), concurrency=1, timeout=5,
        ca_bundle=bundle, sleep=lambda _: listener.close(),
    ) as client:  # fmt: skip
        list(client.list("departments"))
    thread.join(5)
    assert KEY.encode() not in b"".join(heard)
