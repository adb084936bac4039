"""Which addresses are public, whatever they are dressed as."""

import ipaddress
import socket

import pytest

from stages.steps.addresses import AddressRefused, check, kind_of, resolve


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("8.8.8.8", ""),
        ("2001:4860:4860::8888", ""),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.1", ""),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "shared"),
        ("127.0.0.2", "loopback"),
        ("::1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fd00:ec2::254", "private"),
        ("fec0::1", "private"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.0.8", "reserved"),
        ("198.18.0.1", "reserved"),
        ("203.0.113.9", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001::1", "reserved"),
        ("64:ff9b:1::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:8.8.8.8", ""),
        ("::ffff:0:10.0.0.1", "private"),
        ("::10.0.0.1", "private"),
        ("64:ff9b::169.254.169.254", "link-local"),
        ("64:ff9b::8.8.8.8", ""),
        ("2002:0a00:0001::", "private"),
        ("2002:7f00:0001::1", "loopback"),
        ("2002:0808:0808::1", ""),
    ],
)
def test_an_address_is_what_it_reaches(address, kind):
    assert kind_of(ipaddress.ip_address(address)) == kind


def test_the_list_of_allowed_ones_opens_exactly_what_it_names():
    check("ci.internal", "10.0.0.1", ["ci.internal"])
    check("ci.internal", "::ffff:10.0.0.1", ["10.0.0.0/24"])
    check("x", "8.8.8.8", [])
    for allow in ([], ["ci"], ["10.0.1.0/24"], ["internal"], ["127.0.0.1"]):
        with pytest.raises(AddressRefused, match="ci.internal leads to 10.0.0.1, which is a private address"):
            check("ci.internal", "10.0.0.1", allow)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "017700000001"])
def test_odd_spellings_of_loopback_are_refused(host):
    with pytest.raises(AddressRefused, match="loopback"):
        resolve(host, 80, [])


def test_one_refused_answer_refuses_the_name(monkeypatch):
    def answers(*_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with pytest.raises(AddressRefused, match="10.0.0.1"):
        resolve("two.example", 80, [])
