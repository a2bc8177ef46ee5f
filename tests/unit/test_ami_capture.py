"""Traces: every frame kept, nobody recognisable, and the recorded ones readable to the last frame."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiserver.ami.capture import Anonymiser, Recorder, main, open_trace, read_trace
from ctiserver.model.events import Resynced
from tests.replay import load

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
CALL = (
    "Event: Newchannel\r\nChannel: PJSIP/city-1\r\nCallerIDNum: 13805380001\r\nCallerIDName: 王先生\r\n"
    "ConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nUniqueid: 13805380001.1"
).encode()
DIAL = b"Event: DialBegin\r\nDestCallerIDNum: 12345\r\nDialString: 05386991001@city"
ORIGINATE = b"Event: OriginateResponse\r\nChannel: PJSIP/05386991001@city\r\nX: 13805380001 says"


def test_a_number_and_a_name_become_others_and_stay_the_same_person() -> None:
    hide = Anonymiser()
    first, again = hide(CALL), hide(CALL)
    assert first == again
    assert b"\r\nCallerIDNum: 10000000001\r\nCallerIDName: \xe6\x9d\xa5" in first
    assert "王".encode() not in first
    assert b"Uniqueid: 13805380001.1" in first, "an id that looks like a number is none"
    assert b"\r\nConnectedLineNum: <unknown>" in first
    assert hide(DIAL) == b"Event: DialBegin\r\nDestCallerIDNum: 12345\r\nDialString: 10000000002@city"
    assert hide(ORIGINATE) == (
        b"Event: OriginateResponse\r\nChannel: PJSIP/10000000002@city\r\nX: 10000000001 says"
    )


@given(
    st.text(st.characters(whitelist_categories=("Nd", "L"), max_codepoint=0x9FFF), min_size=1, max_size=20)
)
def test_whatever_stands_as_a_number_is_hidden_unless_it_is_a_service_number(shown: str) -> None:
    frame = f"Event: Newchannel\r\nCallerIDNum: {shown}\r\nUniqueid: 1.0".encode()
    hidden = Anonymiser()(frame)
    if re.fullmatch(r"[0-9]{1,6}", shown):
        assert hidden == frame
    else:
        number = hidden.split(b"\r\n")[1].removeprefix(b"CallerIDNum: ")
        assert re.fullmatch(rb"1[0-9]{6,}", number)
    assert hidden.endswith(b"Uniqueid: 1.0")


@given(st.lists(st.integers(0, 1000), max_size=20))
def test_a_trace_gives_back_every_frame_however_the_bytes_came(cuts: list[int]) -> None:
    stream = GREETING + b"".join(frame + b"\r\n\r\n" for frame in (CALL, DIAL, ORIGINATE))
    places = sorted({cut % len(stream) for cut in cuts} | {0, len(stream)})
    out, times = io.BytesIO(), iter(range(0, 10**9, 1_000_000))
    recorder = Recorder(out, lambda: next(times))
    for begin, end in pairwise(places):
        recorder(stream[begin:end])
    hide = Anonymiser()
    assert recorder.frames == 3
    body = out.getvalue().split(b"\n", 1)[1]
    for frame in (CALL, DIAL, ORIGINATE):
        assert hide(frame) + b"\n" in body


@pytest.mark.parametrize("name", ["t.ami", "t.ami.gz"])
def test_a_trace_is_read_back_and_a_cut_one_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with open_trace(path) as file:
        recorder = Recorder(file)
        for _ in range(2):  # a link that reconnects begins with the greeting again
            recorder(GREETING + CALL + b"\r\n\r\n")
    assert [frame for _, frame in read_trace(path)] == [Anonymiser()(CALL)] * 2
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        open_trace(path)
    if not name.endswith(".gz"):
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(ValueError, match="cut off"):
            list(read_trace(path))
    (tmp_path / "other").write_bytes(b"something\n")
    with pytest.raises(ValueError, match="is no trace"):
        list(read_trace(tmp_path / "other"))


def test_the_command_says_in_one_sentence_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.toml"
    assert main(["--settings", str(absent), "--out", str(tmp_path / "t.ami")]) == 2
    assert capsys.readouterr().err == f"cannot read settings file {absent}: No such file or directory\n"
    settings = tmp_path / "hotline.toml"
    settings.write_text("")
    (tmp_path / "taken").touch()
    assert main(["--settings", str(settings), "--out", str(tmp_path / "taken")]) == 2
    assert capsys.readouterr().err == f"cannot make {tmp_path / 'taken'}: File exists\n"


@pytest.mark.parametrize("name", load.names())
def test_every_recorded_trace_begins_with_a_look_and_can_be_read_to_its_end(name: str) -> None:
    told = load.events(name)
    assert isinstance(told[0], Resynced)
    assert len(told[0].snapshot.phones_up) == 57
    assert len(told) > 5
    assert not re.search(rb"138001|0538699|/tmp|/work", b"\r\n".join(load.frames(name)))
