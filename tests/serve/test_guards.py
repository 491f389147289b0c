"""Who may ask: Host, Origin, token (promise: nobody else's page, no other machine, no name that points here)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest

from agentvid.errors import UsageError
from agentvid.library import Library
from agentvid.listening import check_access, token_bits
from agentvid.serve.guards import HEADERS

from .conftest import Site

Serve = Callable[..., AbstractContextManager[Site]]
TOKEN = "Zq3vX0b7Kd92mWcRtY5uLhEaPfSgNjQi"
OWN = ("127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}", "localhost", "127.0.0.1:9999")
FOREIGN = (
    "evil.example:{port}",
    "localhost.evil.example:{port}",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "evil.example@127.0.0.1:{port}",
    "192.168.1.5:{port}",
    "0.0.0.0:{port}",
    "127.0.0.1:{port}:80",
    "127.0.0.1:port",
    "[::1",
    "",
    "localhost/",
    "localhost:{port}?x",
    "2130706433:{port}",
    "localhost.:{port}",
)
ORIGINS = ("http://{host}", "", "null", "http://evil.example", "https://evil.example", "http://localhost:1", "file://")


@pytest.mark.parametrize("host", OWN)
@pytest.mark.parametrize("origin", ORIGINS)
def test_an_own_name_with_an_own_origin_or_none(site: Site, host: str, origin: str) -> None:
    host = host.format(port=site.port)
    headers = {"Host": host} | ({"Origin": origin.format(host=host)} if origin else {})
    expected = 200 if origin in ("", "http://{host}") else 403
    assert site.get("/api/library", **headers).status == expected
    assert site.post("/api/ask", {"question": "Which boat?"}, **headers).status == expected


@pytest.mark.parametrize("host", FOREIGN)
def test_a_name_that_points_here_is_refused(site: Site, host: str) -> None:
    """As after DNS rebinding: the page and its requests are same-origin for the browser, and Host gives it away."""
    host = host.format(port=site.port)
    for origin, path in itertools.product(("", f"http://{host}"), ("/", "/api/videos")):
        reply = site.get(path, Host=host, **({"Origin": origin} if origin else {}))
        assert reply.status == 421
        assert not {"access-control-allow-origin"} & {name.lower() for name in reply.headers}


def test_two_hosts_or_none_are_refused(site: Site) -> None:
    for lines in ("Host: localhost\r\nHost: evil.example\r\n", ""):
        got = site.raw(f"GET /api/library HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        assert got.split()[1] in (b"400", b"421")
    assert site.raw(b"GET /api/library HTTP/1.0\r\n\r\n").split()[1] == b"421"


@pytest.mark.parametrize("kind", ["cross-site", "same-site"])
def test_other_sites_may_link_to_the_page_and_nothing_else(site: Site, kind: str) -> None:
    link: dict[str, Any] = {"Sec_Fetch_Site": kind, "Sec_Fetch_Mode": "navigate"}
    assert site.get("/v/0123", **link).status != 403
    assert site.get("/api/library", **link).status == 403
    assert site.get(f"/media/{site.ids['north']}", Sec_Fetch_Site=kind, Sec_Fetch_Mode="no-cors").status == 403
    assert site.get("/", Sec_Fetch_Site=kind, Sec_Fetch_Mode="cors").status == 403
    assert site.get("/api/library", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_changes_nothing(site: Site, media_type: str) -> None:
    for path in ("/api/ask", "/api/jobs", "/api/nothing"):
        reply = site.get(
            path, "POST", b'{"question": "Which boat?"}', **({"Content_Type": media_type} if media_type else {})
        )
        assert reply.status == 415


def test_no_response_lets_other_origins_read(site: Site) -> None:
    reply = site.get(
        "/api/library", "OPTIONS", Origin=f"http://127.0.0.1:{site.port}", Access_Control_Request_Method="GET"
    )
    assert not any(name.lower().startswith("access-control") for name in reply.headers)


@pytest.mark.parametrize(
    "path", ["/", "/api/library", "/api/nothing", "/media/nothing", "/api/openapi.json", "/api/ask"]
)
def test_every_response_has_the_headers(site: Site, path: str) -> None:
    reply = site.get(path)
    assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "server" not in reply.headers


def test_refused_responses_have_the_headers_too(site: Site) -> None:
    reply = site.get("/", Host="evil.example")
    assert {name: reply.headers[name] for name in HEADERS} == HEADERS


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_a_host_that_others_reach_needs_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        with pytest.raises(UsageError, match="no token"):
            check_access(host, "")
        check_access(host, TOKEN)
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.53"):
        check_access(host, "")


@pytest.mark.parametrize(
    "token",
    ["secret", "1234567890" * 3, "a" * 200, "0123456789abcdef", "abcdefghijklmnop", "ab" * 60, " ", "passwortpasswort"],
)
def test_a_token_that_can_be_guessed_is_refused(token: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_access("127.0.0.1", token)
    assert token.strip() == "" or token not in str(raised.value) + raised.value.hint


def test_tokens_of_128_bits_are_enough() -> None:
    import secrets

    for token in (secrets.token_hex(16), secrets.token_urlsafe(22), secrets.token_urlsafe(32), TOKEN):
        assert token_bits(token) >= 120
    for _ in range(200):
        check_access("0.0.0.0", secrets.token_urlsafe(32))


def test_without_the_token_nothing_is_told(serve: Serve) -> None:
    with serve(token=TOKEN) as site:
        for path in (
            "/",
            "/v/x",
            "/static/app.js",
            "/api/library",
            "/api/openapi.json",
            "/api/nothing",
            f"/media/{site.ids['north']}",
        ):
            for headers in cast(
                "list[dict[str, Any]]",
                [
                    {},
                    {"Authorization": "Bearer"},
                    {"Authorization": f"Bearer {TOKEN[:-1]}"},
                    {"Authorization": f"Basic {TOKEN}"},
                    {"Authorization": "Bearer \xe9\xff"},
                    {"Cookie": f"agentvid_{site.port}={TOKEN}"},
                    {"Cookie": f"agentvid_{site.port}="},
                    {"Cookie": "=;;;=x; agentvid"},
                ],
            ):
                reply = site.get(path, **headers)
                assert reply.status == 401
                assert TOKEN.encode() not in reply.body
        assert site.post("/api/ask", {"question": "Which boat?"}).status == 401


def test_the_token_opens(serve: Serve) -> None:
    with serve(token=TOKEN) as site:
        assert site.get("/api/library", Authorization=f"Bearer {TOKEN}").status == 200
        assert site.get("/api/library", Authorization=f"bearer  {TOKEN} ").status == 200
        assert site.get("/api/library", Authorization=f"Bearer {TOKEN}", Host="evil.example").status == 421
        assert site.get("/api/library", Authorization=f"Bearer {TOKEN}", Origin="http://evil.example").status == 403


def test_a_browser_logs_in_with_the_token_and_keeps_a_cookie(serve: Serve) -> None:
    with serve(token=TOKEN, ticket="once") as site:
        for wrong in ("", "?token=", "?token=wrong", f"?Token={TOKEN}", f"?token={TOKEN}x"):
            reply = site.get(f"/login{wrong}")
            assert reply.status == 401
            assert "set-cookie" not in reply.headers
        reply = site.get(f"/login?token={TOKEN}")
        assert reply.status == 303
        assert reply.headers["Location"] == "/"
        cookie = reply.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert site.get("/api/library", Cookie=cookie.partition(";")[0]).status == 200
        assert site.get("/api/library", Cookie=cookie.partition(";")[0][:-1] + "0x").status == 401
        # The ticket that `--open` gives to the browser is good for one time.
        assert site.get("/login?token=once").status == 303
        assert site.get("/login?token=once").status == 401


def test_addresses_and_given_names_are_hosts_of_an_open_server(shelf: Library, serve: Serve) -> None:
    with serve(host="0.0.0.0", token=TOKEN, hosts=("films.local",)) as site:
        known: dict[str, Any] = {"Authorization": f"Bearer {TOKEN}"}
        for host, expected in (
            ("192.168.1.5:80", 200),
            ("[fe80::1]", 200),
            ("films.local:1", 200),
            ("evil.example", 421),
        ):
            assert site.get("/api/library", Host=host, **known).status == expected
