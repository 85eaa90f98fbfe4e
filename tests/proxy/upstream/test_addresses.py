"""A public-looking name that leads to a private address is not connected to, whenever it does so."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from headgate_runtime.public_resolver import AddressNotAllowedError, PublicResolver


class Changing(AbstractResolver):
    """Answers each question from the next list of addresses, as a rebinding name server does."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._answers.pop(0)
        ]

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "0.0.0.0"]
)
async def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressNotAllowedError, match=r"allowances\.privateAddresses"):
        await PublicResolver(Changing([address])).resolve("api.example.com", 443)


async def test_of_mixed_answers_only_the_public_ones_are_used_each_time_anew() -> None:
    resolver = PublicResolver(Changing(["8.8.8.8", "10.0.0.1"], ["192.168.1.1"]))
    assert [found["host"] for found in await resolver.resolve("api.example.com", 443)] == ["8.8.8.8"]
    with pytest.raises(AddressNotAllowedError):
        await resolver.resolve("api.example.com", 443)
