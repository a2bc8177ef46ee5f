"""The command `hotline` while it serves: signals, a second start, a killed keeper, demo and rehearsal."""

from __future__ import annotations

import json
import signal
import socket

from tests.integration.command_site import Site, running, told, until

KEYS = [
    *("offered", "answered", "abandoned", "pops", "pops_before_answer", "three_way_ok", "three_way_asked"),
    *("emergency_ok", "emergency_asked", "audio_ok", "audio_checked", "records", "lost"),
    *("pop_ms", "three_way_invite_ms"),
]


def test_run_serves_and_sigterm_leaves_nothing_behind(site: Site) -> None:
    with running(site) as process:
        told(site, site.call("run"), "runs already from")
        seen = site.call("status", "--json")
        assert seen.returncode == 0, seen.stdout
        status = json.loads(seen.stdout)
        assert status["is_up"] and status["linked"]
        assert sum(status["seats"].values()) == 8
        parts = {"asterisk", "cti", "ivr", "desk", "archive", "database"}
        assert {part["name"] for part in status["parts"]} == parts
        assert "in use; this hotline runs" in site.call("doctor").stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not site.processes()
    stopped = site.call("status", "--json")
    assert stopped.returncode == 1
    assert not json.loads(stopped.stdout)["is_up"]


def test_after_ctrl_c_asterisk_goes_on_when_it_was_told_to(site: Site) -> None:
    with running(site, "--keep-switch") as process:
        asterisk = site.asterisk()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert asterisk is not None
    assert site.processes() == [asterisk]
    with running(site) as process:
        assert site.asterisk() == asterisk
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert not site.processes()


def test_a_killed_supervisor_takes_our_processes_along_and_leaves_the_switch(site: Site) -> None:
    with running(site) as process:
        asterisk = site.asterisk()
        process.kill()
        until(lambda: site.processes() == [asterisk])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", site.port["push_port"]))
        other.listen()
        told(site, site.call("run"), str(site.port["push_port"]))
    assert site.asterisk() == asterisk, "a start that fails ends nobody's calls"
    with running(site) as process:
        assert site.asterisk() == asterisk
        assert site.call("status").returncode == 0


def test_the_demo_plays_three_calls_and_ends(site: Site) -> None:
    ended = site.call("demo", "--calls", "3", "--rate", "2")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("its screen shows the caller") >= 3
    assert "3 calls were played" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not site.processes()


def test_the_rehearsals_report_is_for_programs_too(site: Site) -> None:
    ended = site.call(
        "rehearse", *("--calls", "4"), *("--rate", "1"), *("--seats", "4"), *("--json", "report.json")
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads((site.home / "report.json").read_text())
    assert list(report) == KEYS
    assert list(report["pop_ms"]) == list(report["three_way_invite_ms"]) == ["p50", "p99"]
    assert report["offered"] == report["records"] == 4
    assert report["lost"] == 0
