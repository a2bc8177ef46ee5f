"""Owns the tests of Asterisk's rendered files: repeatable, no secret astray, no value that becomes more."""

import re
from pathlib import Path

import msgspec
import pytest

from asterisk_conf.paths import NodePaths
from asterisk_conf.ports import hotline_ports
from asterisk_conf.render import EVENTS, MODULES, render, render_base, seat_password
from hotline.errors import BadSettings
from hotline.secret import Secrets
from hotline.settings import (
    CallbackSettings,
    IvrSettings,
    LineSettings,
    QueueSettings,
    SeatSettings,
    Settings,
    SkillSettings,
    SupervisorSettings,
    SwitchSettings,
    TrunkSettings,
)

SECRETS = Secrets(
    ami_cti="cti-word",
    ami_system="system-word",
    push_key="push-word",
    seat_key="seat-word",
    session_key="session-word",
)
PATHS = NodePaths(Path("/srv/hotline/switch"))


def files(settings: Settings | None = None) -> dict[str, str]:
    return render(settings or Settings(), SECRETS, PATHS)


def section(text: str, name: str) -> str:
    """All that stands under [name], wherever it does."""
    return "".join(
        re.findall(rf"^\[{re.escape(name)}\][^\n]*\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    )


def test_the_same_settings_give_the_same_files() -> None:
    assert files() == files()


def test_each_secret_stands_in_the_one_file_that_needs_it() -> None:
    passwords = {seat_password(SECRETS, seat) for seat in Settings().seat_ids}
    for name, text in files().items():
        for secret in (SECRETS.push_key, SECRETS.seat_key, SECRETS.session_key):
            assert secret not in text, name
        assert (SECRETS.ami_cti in text) == (name == "manager.conf")
        assert (SECRETS.ami_system in text) == (name == "manager.conf")
        assert any(word in text for word in passwords) == (name == "pjsip.conf")


def test_every_seat_and_supervisor_has_an_endpoint_an_address_of_record_and_its_own_password() -> None:
    text = files()["pjsip.conf"]
    words = re.findall(r"^password = (\w{32})$", text, re.MULTILINE)
    assert len(set(words)) == 61
    for seat in Settings().phone_ids:
        assert re.findall(rf"^\[{seat}\]\((.*)\)$", text, re.MULTILINE) == ["seat", "seat-aor", "seat-auth"]
        assert f"username = {seat}\npassword = {seat_password(SECRETS, seat)}\n" in text


def test_a_seats_password_depends_on_the_key_and_on_the_seat() -> None:
    other = msgspec.structs.replace(SECRETS, seat_key="another")
    words = {seat_password(who, seat) for who in (SECRETS, other) for seat in ("8001", "8002")}
    assert len(words) == 4


def test_a_smaller_room_renders_just_its_seats_and_supervisors() -> None:
    supervisors = SupervisorSettings(first=691, count=1)
    text = files(Settings(seats=SeatSettings(first=601, count=3), supervisors=supervisors))["pjsip.conf"]
    assert re.findall(r"^\[(\d+)\]\(seat\)$", text, re.MULTILINE) == ["601", "602", "603", "691"]


def test_a_trunk_is_known_by_its_address_alone() -> None:
    trunks = (
        TrunkSettings(name="city", host="10.1.2.3"),
        TrunkSettings(name="police", host="fd00::110", port=5080),
    )
    text = files(Settings(trunks=trunks))["pjsip.conf"]
    assert "contact = sip:10.1.2.3:5060\n" in section(text, "city")
    assert "match = fd00::110\n" in section(text, "police")
    assert "contact = sip:[fd00::110]:5080\n" in section(text, "police")
    assert text.count("identify_by = ip\n") == 2
    assert "auth" not in section(text, "city") + section(text, "police")
    assert "anonymous" not in text


def test_the_two_ami_users_never_hold_originate_and_system_together() -> None:
    text = files()["manager.conf"]
    writes = {
        user: re.findall(r"^write = (.*)$", section(text, user), re.MULTILINE) for user in ("cti", "system")
    }
    assert writes == {"cti": ["call,agent,originate,reporting"], "system": ["system"]}
    assert section(text, "cti").count("eventfilter(action(include)") == len(EVENTS)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::"])
def test_ami_stays_on_loopback_wherever_the_phones_are(host: str) -> None:
    settings = Settings(switch=SwitchSettings(host=host))
    assert (hotline_ports(settings).host, hotline_ports(settings).ami_host) == (host, "127.0.0.1")
    assert "bindaddr = 127.0.0.1\n" in files(settings)["manager.conf"]


def test_the_switch_runs_no_program_for_anybody() -> None:
    assert "live_dangerously = no" in files()["asterisk.conf"]
    assert "execincludes = no" in files()["asterisk.conf"]
    assert not {"app_system", "func_shell", "app_externalivr", "func_curl"} & set(MODULES)
    assert "autoload = no" in files()["modules.conf"]
    assert not re.search(r"^#(exec|include)", "\n".join(files().values()), re.MULTILINE)


def test_the_directories_are_no_template_or_two_nodes_would_share_one_spool() -> None:
    text = render_base(PATHS, ["pbx_config"])["asterisk.conf"]
    assert text.count("[directories]\n") == 1
    assert "astspooldir => /srv/hotline/switch/spool\n" in text
    assert "systemname" not in text


def test_two_homes_have_two_entity_ids() -> None:
    def entity(home: str) -> str:
        text = render_base(NodePaths(Path(home)), [])["asterisk.conf"]
        return re.findall(r"^entityid = ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$", text, re.MULTILINE)[0]

    assert entity("/a") != entity("/b")


def test_queue_times_and_number_reach_the_queue_and_the_dialplan() -> None:
    texts = files(
        Settings(queue=QueueSettings(number="12319", ring_s=33, announce_every_s=44, wrapup_floor_s=5))
    )
    queue = section(texts["queues.conf"], "queue")
    assert "[12319](queue)\n" in texts["queues.conf"]
    assert "timeout = 33\n" in queue
    assert "announce-frequency = 44\n" in queue
    assert "wrapuptime = 5\n" in queue
    assert "Queue(12319,cC," in section(texts["extensions.conf"], "queue")
    assert "Goto(queue-first,12319,1)" in section(texts["extensions.conf"], "requeue")


def test_a_merged_line_leads_to_its_queue_and_an_unknown_number_to_the_general_one() -> None:
    skills = (SkillSettings(id="enterprise", name="企业专席", number="12346"),)
    lines = (LineSettings(number="12319", queue="12346", label="经12319并入"),)
    texts = files(Settings(skills=skills, lines=lines))
    dialled = section(texts["extensions.conf"], "dialled")
    leads = dict(re.findall(r"^exten => (\S+),1,Goto\(queue,(\d+),1\)$", dialled, re.MULTILINE))
    assert leads == {"12345": "12345", "12346": "12346", "12319": "12346", "_X!": "12345", "T": "12345"}
    assert "[12346](queue)\n" in texts["queues.conf"]
    assert "Queue(12346,cC," in section(texts["extensions.conf"], "queue")


def test_overflow_lets_one_penalty_more_in_with_each_lapse_of_its_time() -> None:
    skills = (
        SkillSettings(id="enterprise", name="企业专席", number="12346", overflow_s=20),
        SkillSettings(id="english", name="English", number="12347"),
    )
    texts = files(Settings(skills=skills))
    rules = texts["queuerules.conf"]
    assert re.findall(r"^\[(.*)\]$", rules, re.MULTILINE) == ["overflow-12346"]
    changes = re.findall(r"^penaltychange => (\d+),(\d)$", rules, re.MULTILINE)
    assert changes == [(str(20 * penalty), str(penalty)) for penalty in range(1, 10)]
    assert section(texts["queues.conf"], "12346").strip() == "defaultrule = overflow-12346"
    assert "defaultrule" not in section(texts["queues.conf"], "12347")
    first = re.findall(r"QUEUE_MAX_PENALTY=(\d)", texts["extensions.conf"])
    assert first == ["9", "0", "9"] * 2, "in [queue], and in [queue-first] too"


def test_hours_and_a_limit_keep_callers_out_but_not_those_who_come_first() -> None:
    skills = (
        SkillSettings(
            id="english", name="English", number="12347", hours="08:30-17:30", days="mon-sat", max_waiting=7
        ),
    )
    text = files(Settings(skills=skills))["extensions.conf"]
    door = [line for line in section(text, "queue").splitlines() if "closed" in line or "full" in line]
    assert door == [
        " same => n,GotoIfTime(08:30-17:30,mon-sat,*,*,CST-8?:closed,12347,1)",
        " same => n,GotoIf($[${QUEUE_WAITING_COUNT(12347)} >= 7]?full,12347,1)",
    ]
    assert "closed" not in section(text, "queue-first")
    assert "full" not in section(text, "queue-first")


def test_ports_for_speech_begin_even() -> None:
    texts = files(Settings(switch=SwitchSettings(rtp_first=10001, rtp_last=10100)))
    assert "rtpstart = 10002\n" in texts["rtp.conf"]


NASTY = ["a\nb", "a\r\nsecret = x", "1.2.3.4;", "${SHELL(id)}", "a b", "=>x", "x#include y", "a\0b", "县"]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize(
    "change",
    [
        lambda word: Settings(switch=SwitchSettings(host=word)),
        lambda word: Settings(ivr=IvrSettings(host=word)),
        lambda word: Settings(queue=QueueSettings(number=word)),
        lambda word: Settings(trunks=(TrunkSettings(name=word, host="10.0.0.1"),)),
        lambda word: Settings(trunks=(TrunkSettings(name="city", host=word),)),
    ],
)
def test_a_setting_that_would_become_more_than_a_value_is_refused(change, nasty: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadSettings, match="character that Asterisk's files cannot hold"):
        files(change(nasty))


@pytest.mark.parametrize("nasty", ["/srv/a;b", "/srv/a\nb", "/srv/a\\b", "/srv/a\0b"])
def test_a_directory_that_asterisk_would_misread_is_refused(nasty: str) -> None:
    with pytest.raises(BadSettings, match="directory"):
        render(Settings(), SECRETS, NodePaths(Path(nasty)))


def test_a_directory_may_have_a_blank_or_a_chinese_name() -> None:
    paths = NodePaths(Path("/srv/泰安 热线"))
    assert "astetcdir => /srv/泰安 热线/etc\n" in render(Settings(), SECRETS, paths)["asterisk.conf"]


def test_a_control_sockets_name_is_never_longer_than_a_socket_may_have() -> None:
    deep = NodePaths(Path("/srv") / ("d" * 120))
    assert len(bytes(deep.control)) < 104
    assert deep.control != NodePaths(Path("/srv") / ("e" * 120)).control
    assert NodePaths(Path("/srv/x")).control == Path("/srv/x/run/asterisk.ctl")


@pytest.mark.parametrize("word", ["", "short", "a\nb" * 8, "with;semicolon" * 2])
@pytest.mark.parametrize("name", ["ami_cti", "ami_system", "seat_key"])
def test_an_edited_secret_that_opens_a_door_is_refused_and_not_shown(name: str, word: str) -> None:
    secrets = msgspec.structs.replace(SECRETS, **{name: word})
    with pytest.raises(BadSettings, match=name) as refused:
        render(Settings(), secrets, PATHS)
    assert not word or word not in str(refused.value)


def test_the_key_for_a_callback_leads_out_of_the_queue_and_is_said_only_where_it_is_offered() -> None:
    texts = files(Settings(callback=CallbackSettings(key="5", offer_every_s=40)))
    queue = section(texts["queues.conf"], "queue")
    assert "context = queue-keys\n" in queue
    assert "periodic-announce = hotline/callback-offer\nperiodic-announce-frequency = 40\n" in queue
    keys = section(texts["extensions.conf"], "queue-keys")
    assert keys.lstrip().startswith("exten => 5,1,Goto(callback,${HOTLINE_QUEUE},1)\n")
    for off in ("", "0"):
        texts = files(Settings(callback=CallbackSettings(key=off)))
        assert "queue-keys" not in "".join(texts.values())
        assert "periodic-announce-frequency = 0\n" in section(texts["queues.conf"], "queue")


def test_a_phone_in_the_page_has_no_password_in_any_file_and_comes_by_websocket_on_loopback() -> None:
    texts = files(
        Settings(seats=SeatSettings(softphones=("8002",)), switch=SwitchSettings(host="192.168.1.20"))
    )
    pjsip = texts["pjsip.conf"]
    assert "auth = 8002\naors = 8002\n" in section(pjsip, "8002")
    assert "webrtc = yes\n" in section(pjsip, "softphone")
    assert seat_password(SECRETS, "8002") not in pjsip
    assert f"password = {seat_password(SECRETS, '8003')}\n" in pjsip
    assert "bindaddr = 127.0.0.1\n" in texts["http.conf"]
    assert "auth = astdb,hotline\n" in texts["sorcery.conf"]
    assert "load = res_pjsip_transport_websocket.so\n" in texts["modules.conf"]
    assert "icesupport = yes\n" in texts["rtp.conf"]


def test_without_phones_in_pages_the_switch_serves_no_http() -> None:
    texts = files()
    assert "http.conf" not in texts
    assert "websocket" not in texts["modules.conf"]
    assert "icesupport = no\n" in texts["rtp.conf"]
    assert hotline_ports(Settings()).http == 0
