"""Owns the phone in the page against a real Asterisk: registration, sound both ways, reload, two tabs."""

import asyncio
import math
import struct
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Browser, WebSocketRoute, async_playwright

from cli.stage import Stage, stage, stage_settings
from hotline.settings import QueueSettings, SeatSettings, Settings
from rehearsal import tones
from rehearsal.city import CitizenCall, City
from rehearsal.ports import free_ports
from tests.browser.conftest import CHROMIUM, LAPTOP, QUIET, Visit, Visitor
from tests.unit.test_desk_tls import make_pair

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENT, SEAT, OTHER = "1001", "8001", "8002"
STATE, PHONE = "#seat-state", "#phone-state"
VOICE_HZ = tones.seat_hz(0)
SEES_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""
HEARD_HZ = """async () => {
  const connection = window.connections.at(-1);
  const track = connection.getReceivers()[0].track;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 16384;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  let best = 0;
  bins.forEach((value, n) => { if (value > bins[best]) best = n; });
  const hz = best * context.sampleRate / analyser.fftSize;
  await context.close();
  return { hz, db: bins[best] };
}"""
CONNECTED = "window.connections.at(-1)?.connectionState === 'connected'"
PACKETS = """async () => {
  const counted = { in: 0, out: 0 };
  for (const report of (await window.connections.at(-1).getStats()).values()) {
    if (report.type === "inbound-rtp") counted.in = report.packetsReceived;
    if (report.type === "outbound-rtp") counted.out = report.packetsSent;
  }
  return counted;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A hotline whose first two seats talk in the page, and whose desk has a certificate of its own."""
    site = Settings(queue=QueueSettings(wrapup_s=300), seats=SeatSettings(softphones=("8001-8002",)))
    state = tmp_path_factory.mktemp("hotline")
    settings = stage_settings(site, state, seats=4, ports=free_ports(7))
    certificate, key = map(str, make_pair(state / "tls"))
    url = f"https://{settings.desk.host}:{settings.desk.port}"
    desk = replace(settings.desk, public_url=url, certificate=certificate, certificate_key=key)
    async with stage(replace(settings, desk=desk), print) as raised:
        yield raised


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's microphone hears: the seat's own tone."""
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    rate = 48_000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (int(9000 * math.sin(2 * math.pi * VOICE_HZ * n / rate)) for n in range(rate * 2))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(voice: Path) -> AsyncIterator[Browser]:
    """A browser with a microphone that says one tone, and with leave to use it."""
    speaking = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice}",
        "--allow-loopback-in-peer-connection",
        "--autoplay-policy=no-user-gesture-required",
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *speaking])
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
def sip_sockets() -> list[WebSocketRoute]:
    """The page's ways to the switch, the newest last."""
    return []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agent(visit: Visit, sip_sockets: list[WebSocketRoute]) -> AsyncIterator[Visitor]:
    visitor = await visit(LAPTOP)
    await visitor.page.add_init_script(SEES_CONNECTIONS)

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sip_sockets.append(socket)

    await visitor.context.route_web_socket("**/sip", pass_on)
    await visitor.sit_down(AGENT, SEAT)
    await visitor.until(PHONE, "就绪")
    yield visitor
    assert visitor.complaints == []


async def answered(agent: Visitor, city: City, number: str, n: int) -> CitizenCall:
    """A citizen calls, and the agent answers by key."""
    await agent.page.keyboard.press("F2")
    await agent.until(STATE, "示闲")
    call = await city.call(number, n=n)
    await call.answered()
    await call.press("111")
    await agent.until(PHONE, "振铃")
    await agent.page.keyboard.press("F2")
    await agent.until(STATE, "通话")
    await agent.until(PHONE, "通话")
    return call


async def finish(agent: Visitor, call: CitizenCall) -> None:
    await agent.page.keyboard.press("F10")
    await agent.until(STATE, "整理")
    await agent.until(PHONE, "就绪")
    await call.ended()


async def comes_true(agent: Visitor, expression: str, within_s: float = 10.0) -> None:
    """By asking again: the page's policy lets nobody wait inside of it by a string."""
    end = time.monotonic() + within_s
    while not await agent.page.evaluate(expression):
        assert time.monotonic() < end, f"never came true: {expression}"


async def hears_citizen(agent: Visitor, call: CitizenCall) -> bool:
    heard = await agent.page.evaluate(HEARD_HZ)
    return abs(heard["hz"] - call.hz) < 10


async def citizen_hears_agent(agent: Visitor, call: CitizenCall, seconds: float = 1.5) -> bool:
    """From when the page's sound has found its way."""
    await comes_true(agent, CONNECTED)
    begin = time.time()
    await asyncio.sleep(seconds)
    return await call.heard(VOICE_HZ, begin, begin + seconds)


async def test_a_call_is_answered_in_the_page_and_both_hear_each_other(agent: Visitor, city: City) -> None:
    call = await answered(agent, city, "13800005611", 31)
    before = await agent.page.evaluate(PACKETS)
    assert await citizen_hears_agent(agent, call)
    assert await hears_citizen(agent, call)
    after = await agent.page.evaluate(PACKETS)
    assert after["in"] - before["in"] > 50
    assert after["out"] - before["out"] > 50
    await agent.until("#phone-quality", "抖动")
    await finish(agent, call)


async def test_a_reload_in_a_call_takes_the_call_up_again_and_it_is_the_same_call(
    agent: Visitor, city: City
) -> None:
    call = await answered(agent, city, "13800005612", 32)
    assert await citizen_hears_agent(agent, call)
    await agent.page.reload()
    await agent.until(PHONE, "通话")
    assert await citizen_hears_agent(agent, call)
    assert await hears_citizen(agent, call)
    await agent.until("#participants", "我")
    assert await agent.page.locator("#participants .party").count() == 2
    await agent.page.keyboard.press("F6")
    await agent.until(STATE, "保持")
    await agent.page.reload()
    await agent.until(PHONE, "通话")
    await agent.until(STATE, "通话")
    assert await citizen_hears_agent(agent, call), "whoever was held is fetched back"
    await finish(agent, call)


async def test_of_two_tabs_at_one_seat_one_is_the_phone_and_the_other_takes_over_when_it_closes(
    agent: Visitor, city: City
) -> None:
    second = await agent.context.new_page()
    await second.add_init_script(SEES_CONNECTIONS)
    await second.goto(f"{agent.base}/agent")
    await second.locator("#banner").filter(has_text="在本座席的另一窗口中").wait_for()
    call = await answered(agent, city, "13800005613", 33)
    first, agent.page = agent.page, second
    await first.close()
    await agent.until(PHONE, "通话")
    assert await citizen_hears_agent(agent, call)
    await finish(agent, call)


async def test_the_way_to_the_switch_breaks_in_a_call_and_the_page_registers_again(
    agent: Visitor, city: City, sip_sockets: list[WebSocketRoute]
) -> None:
    call = await answered(agent, city, "13800005614", 34)
    await sip_sockets[-1].close()
    assert await citizen_hears_agent(agent, call), "speech does not pass by the desk"
    await finish(agent, call)


async def test_one_says_something_in_the_echo_test_and_hears_it(agent: Visitor) -> None:
    await agent.page.click("#phone-open")
    await agent.page.click("#phone-test")
    await agent.until(PHONE, "回声测试")
    await comes_true(agent, CONNECTED)
    heard = await agent.page.evaluate(HEARD_HZ)
    assert abs(heard["hz"] - VOICE_HZ) < 10
    await comes_true(agent, "document.getElementById('phone-level').value > 0.1")
    assert await agent.page.locator("#phone-microphone option").count() > 1
    await agent.page.click("#phone-test")
    await agent.until(PHONE, "就绪")
    await agent.page.keyboard.press("Escape")


async def test_after_signing_out_nobody_registers_with_the_shifts_secret(
    agent: Visitor, there: Stage
) -> None:
    kept = "database get hotline/auth " + SEAT
    said = await there.hotline.node.console(kept)
    assert f'"username":"{SEAT}"' in said
    await agent.page.click("#do-sign-out")
    await agent.until(STATE, "签出")
    await agent.until(PHONE, "未启用")
    assert '"username":"-"' in await there.hotline.node.console(kept)
