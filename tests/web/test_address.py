"""The address is this machine's alone, and free."""

import socket

import pytest

from pointpet.web.address import Address


def test_it_listens_on_this_machine_only_and_queues_early_visitors():
    address = Address.open()
    with address.listener:
        assert address.listener.getsockname() == ("127.0.0.1", address.port)
        assert address.url == f"http://127.0.0.1:{address.port}/?token={address.token}"
        with socket.create_connection(("127.0.0.1", address.port), timeout=5):
            pass


def test_tokens_differ_and_are_long():
    one, other = Address.open(), Address.open()
    with one.listener, other.listener:
        assert one.token != other.token
        assert len(one.token) >= 32  # 24 random bytes


def test_a_port_in_use_is_not_shared():
    first = Address.open()
    with first.listener, pytest.raises(OSError, match="in use"):
        Address.open(first.port)
