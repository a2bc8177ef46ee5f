"""Real switches for whoever tests against them: the hotline's Asterisk, and a city around it, on free ports.

Both live as long as a test module. Tests that use them run on the module's event loop, so they say
`pytestmark = pytest.mark.asyncio(loop_scope="module")`. A module that wants other settings overrides
`hotline_settings`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from asterisk_conf import install, music
from asterisk_conf.install import Program
from asterisk_conf.node import Node, Ports
from asterisk_conf.render import render
from hotline.secret import Secrets, load_or_create
from hotline.settings import (
    CtiSettings,
    DeskSettings,
    IvrSettings,
    Settings,
    SwitchSettings,
    TrunkSettings,
)
from rehearsal import ports
from rehearsal.city import City, CityPlan
from rehearsal.ports import CITY_HOST, HOTLINE_HOST
from rehearsal.switchboard import Switchboard
from tests.integration.command_site import Site


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """`free_ports(n)`: n different ports, free on both addresses for TCP and UDP."""
    return ports.free_ports


@pytest.fixture(scope="session")
def program() -> Program:
    """The Asterisk to test with: the host's, or the private one in the cache."""
    found = install.find(install.cache_dir())
    assert found is not None, "no Asterisk here: run `python -m asterisk_conf.install` first"
    return found


@pytest.fixture(scope="module")
def hotline_settings(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A hotline of 57 seats whose every port is free; its state lies in a directory of its own."""
    sip, http, ami, trunk, push, ivr, desk = free_ports(7)
    return Settings(
        state_dir=str(tmp_path_factory.mktemp("hotline")),
        switch=SwitchSettings(
            host=HOTLINE_HOST, sip_port=sip, http_port=http, ami_port=ami, rtp_first=12000, rtp_last=21999
        ),
        trunks=(TrunkSettings(name="city", host=CITY_HOST, port=trunk),),
        cti=CtiSettings(push_port=push),
        ivr=IvrSettings(port=ivr),
        desk=DeskSettings(port=desk),
    )


@pytest.fixture(scope="module")
def hotline_secrets(hotline_settings: Settings) -> Secrets:
    """Fresh secrets, kept where `hotline_settings` says."""
    return load_or_create(hotline_settings.state)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline_node(
    hotline_settings: Settings, hotline_secrets: Secrets, program: Program
) -> AsyncIterator[Node]:
    """The hotline's Asterisk, running; neither CTI server nor IVR are there unless the test starts them."""
    node, switch = Node(hotline_settings.state / "asterisk", program), hotline_settings.switch
    music.ensure(node.paths.moh)
    ports = Ports(host=switch.host, sip=switch.sip_port, ami=switch.ami_port, http=switch.http_port)
    await node.start(render(hotline_settings, hotline_secrets, node.paths), ports)
    yield node
    await node.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(
    hotline_node: Node,
    hotline_settings: Settings,
    hotline_secrets: Secrets,
    free_ports: Callable[[int], list[int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[City]:
    """The city on the hotline's trunk, its 57 phones registered."""
    home: Path = tmp_path_factory.mktemp("city")
    trunk = hotline_settings.trunks[0]
    plan = CityPlan(
        host=trunk.host, sip_port=trunk.port, ami_port=free_ports(1)[0], rtp_first=12000, rtp_last=21999
    )
    around = City(home, hotline_node.program, hotline_settings, hotline_secrets, plan)
    await around.start()
    await around.wait_registered()
    yield around
    await around.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cti_ami(
    hotline_node: Node, hotline_settings: Settings, hotline_secrets: Secrets
) -> AsyncIterator[Switchboard]:
    """An AMI session at the hotline with the CTI server's rights, for a test's own steps."""
    session = Switchboard(lambda _event: None)
    await session.connect(
        hotline_settings.switch.host, hotline_settings.switch.ami_port, "cti", hotline_secrets.ami_cti
    )
    yield session
    session.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system_ami(
    hotline_node: Node, hotline_settings: Settings, hotline_secrets: Secrets
) -> AsyncIterator[Switchboard]:
    """An AMI session at the hotline with the rights of the user `system`, for looking into the switch."""
    session = Switchboard(lambda _event: None)
    await session.connect(
        hotline_settings.switch.host, hotline_settings.switch.ami_port, "system", hotline_secrets.ami_system
    )
    yield session
    session.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    there = Site(tmp_path)
    yield there
    there.end()
