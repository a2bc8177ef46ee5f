"""Who is heard in a recording: synthesised waves, noise, A-law, silence, neighbours 10 Hz away."""

from __future__ import annotations

import math
import random
import time
import wave
from array import array
from pathlib import Path

import pytest

from rehearsal import tones
from rehearsal.tones import RATE, Recording

pytestmark = pytest.mark.slow


def mix(*parts: tuple[float, float], seconds: float = 1.0, noise: float = 0.0) -> Recording:
    """Sum of (hz, amplitude) and of white noise with this standard deviation."""
    chance = random.Random(1)
    wave_at = (
        sum(a * math.sin(0.3 + math.tau * hz * i / RATE) for hz, a in parts) + chance.gauss(0, noise)
        for i in range(round(seconds * RATE))
    )
    return Recording(array("h", (max(-32768, min(32767, round(s))) for s in wave_at)))


def a_law(recording: Recording) -> Recording:
    """What is left of the samples after G.711 A-law: 8 bits on a logarithmic scale."""

    def squeeze(x: int) -> int:
        size = abs(x) >> 4
        step = max(0, size.bit_length() - 5)
        back = ((size >> step) << step) + (1 << step) // 2
        return int(math.copysign(back << 4, x))

    return Recording(array("h", map(squeeze, recording.samples)))


def write(path: Path, recording: Recording) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(recording.samples.tobytes())
    return path


def test_every_party_in_one_call_has_a_frequency_of_its_own() -> None:
    citizens = {tones.citizen_hz(n) for n in range(26)}
    seats = {tones.seat_hz(i) for i in range(57)}
    departments = {tones.outside_hz(f"0538{n:07}") for n in range(21)}
    emergency = {tones.outside_hz(number) for number in ("110", "119", "120", "122")}
    assert (len(citizens), len(seats), len(departments), len(emergency)) == (26, 57, 21, 4)
    assert len(citizens | seats | departments | emergency) == 26 + 57 + 21 + 4
    assert (min(citizens), max(citizens)) == (400, 900)
    assert (min(seats), max(seats)) == (1000, 1560)
    assert all(hz % 10 == 0 for hz in citizens | seats | departments | emergency)


@pytest.mark.parametrize("hz", [400, 900, 1000, 1560, 1700, 2300])
def test_a_tone_is_heard_and_its_neighbours_are_not(hz: int) -> None:
    sound = a_law(mix((hz, 7200), seconds=0.6))
    assert tones.heard(sound, hz)
    assert [other for other in range(300, 2400, 10) if tones.share(sound, other) > 0] == [hz]


def test_three_parties_in_one_room_are_all_heard_through_noise_and_a_law() -> None:
    sound = a_law(mix((420, 7200), (1010, 7200), (2000, 7200), noise=1500))
    assert tones.tones_in(sound, range(300, 2400, 10)) == [
        (pytest.approx(0.2 * i), frozenset({420, 1010, 2000})) for i in range(5)
    ]


def test_noise_and_silence_hold_no_tone() -> None:
    everyone = range(300, 2400, 10)
    assert all(not found for _, found in tones.tones_in(mix(noise=4000, seconds=2), everyone))
    assert all(not found for _, found in tones.tones_in(mix(seconds=0.4), everyone))


def test_a_tone_much_fainter_than_a_loud_voice_is_not_claimed() -> None:
    assert not tones.heard(mix((700, 12000), (1000, 1000)), 1000)


def test_heard_looks_only_between_its_two_moments() -> None:
    first, second = mix((500, 7200), seconds=1), mix((1200, 7200), seconds=1)
    sound = Recording(first.samples + second.samples)
    assert tones.heard(sound, 500, start_s=0, end_s=1)
    assert tones.share(sound, 500, start_s=1, end_s=2) == 0.0
    assert tones.share(sound, 1200, start_s=0.0, end_s=2.0) == 0.5
    assert tones.share(sound, 1200, start_s=1.0, end_s=3.0) == 0.5, "what was not recorded was not heard"
    assert tones.share(sound, 500, start_s=-1.0, end_s=1.0) == 0.5


def test_a_stretch_too_short_to_tell_tones_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        tones.share(mix((500, 7200)), 500, start_s=0.2, end_s=0.3)
    with pytest.raises(ValueError, match="cannot tell"):
        tones.tones_in(mix((500, 7200)), [500], window=0.1)


@pytest.mark.parametrize("gap_ms", [20, 40, 100, 400])
@pytest.mark.parametrize("others", [(), ((1000, 7200), (2000, 7200))])
def test_a_gap_is_measured_within_a_hop(gap_ms: int, others: tuple[tuple[float, float], ...]) -> None:
    whole, hole = mix((900, 7200), *others), mix(*others)
    begin, size = 2000, gap_ms * RATE // 1000
    samples = whole.samples[:begin] + hole.samples[begin : begin + size] + whole.samples[begin + size :]
    assert abs(tones.longest_gap_ms(a_law(Recording(samples)), 900) - gap_ms) <= 8


def test_no_gap_where_there_is_none_and_nothing_but_gap_where_the_tone_is_missing() -> None:
    assert tones.longest_gap_ms(a_law(mix((1010, 7200), seconds=3)), 1010) == 0
    assert tones.longest_gap_ms(mix((1010, 7200)), 1500) == 1000
    assert tones.longest_gap_ms(mix((1010, 7200), seconds=1), 1010, 0.5, 1.5) in range(485, 516)


def test_silence_is_where_neither_tone_nor_music_nor_noise_is() -> None:
    parts = (
        mix((500, 7200), seconds=0.5),
        mix(seconds=0.3),
        mix(noise=300, seconds=0.5),
        mix((700, 500), seconds=0.5),
    )
    sound = a_law(Recording(sum((part.samples for part in parts), array("h"))))
    assert tones.longest_silence_ms(sound) == 300
    assert tones.longest_silence_ms(sound, 0.8) == 0
    assert tones.longest_silence_ms(sound, 0.4, 0.6) == 100
    assert tones.longest_silence_ms(sound, 1.7, 2.4) == 600, "what was not recorded was silence"


def test_a_file_still_being_written_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "live.wav", mix((600, 7200)))
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = bytes(4)
    path.write_bytes(bytes(data) + b"\0")
    assert tones.read(path).seconds == 1.0
    assert tones.heard(path, 600)


@pytest.mark.parametrize("junk", [b"", b"RIFF", b"x" * 100, b"RIFF\0\0\0\0WAVE" + bytes(40)])
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(junk)
    with pytest.raises(ValueError, match=r"a\.wav"):
        tones.read(tmp_path / "a.wav")


def test_another_rate_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.wav", mix((600, 7200)))
    data = bytearray(path.read_bytes())
    data[24:28] = (16000).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="8000 Hz"):
        tones.read(path)


def test_two_hundred_calls_are_judged_in_seconds() -> None:
    sound = mix((600, 7200), seconds=5)
    begin = time.process_time()
    for _ in range(10):
        assert tones.heard(sound, 600)
        assert tones.longest_gap_ms(sound, 600) == 0
    assert (time.process_time() - begin) * 20 < 30
