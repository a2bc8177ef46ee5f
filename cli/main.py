"""Owns the command `hotline`: what people type, and how a mistake is told (one sentence, exit status 2)."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
import typer
import uvloop
from rich.progress import Progress as ProgressBar
from rich.table import Table

from cli import audit as audit_of
from cli import city as city_of
from cli import doctor as doctor_of
from cli import hooks as hooks_of
from cli import people as people_of
from cli import status as status_of
from cli import units as units_of
from cli.demo import demo as play
from cli.ivr import ivr
from cli.rehearse import Process, Scenario, leftovers
from cli.rehearse import rehearse as rehearse_on_stage
from cli.run import run as run_hotline
from cli.terminal import SettingsFile, console, say, settings_from
from cli.tokens import token
from hotline.errors import HotlineError
from hotline.identity.people import NewPerson
from hotline.identity.roles import Role
from hotline.identity.skills import BadSkill
from hotline.secret import screen_word

app = typer.Typer(
    help="The 12345 hotline: calls, seats, screens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
person = typer.Typer(help="The people who may log in.", no_args_is_help=True)
app.add_typer(person, name="person")
directory = typer.Typer(help="The directory of departments.", no_args_is_help=True)
app.add_typer(directory, name="directory")
hooks = typer.Typer(help="Webhooks: what integrators are sent.", no_args_is_help=True)
app.add_typer(hooks, name="hooks")
audit = typer.Typer(help="The audit trail: who did what to whom.", no_args_is_help=True)
app.add_typer(audit, name="audit")
app.add_typer(ivr, name="ivr")
app.add_typer(token, name="token")
_Result = TypeVar("_Result")


def live(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run to the end; Ctrl+C ends it in good order."""
    return uvloop.run(work)


def quiet_log() -> None:
    """Commands talk to a person: only warnings of the parts they use, on standard error."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)


@app.command()
def run(
    settings: SettingsFile = None,
    keep_switch: Annotated[
        bool, typer.Option("--keep-switch", help="at the end leave Asterisk and its calls alone")
    ] = False,
) -> None:
    """Start Asterisk, the CTI server, the IVR and the desk; Ctrl+C stops them all."""
    live(run_hotline(*settings_from(settings), say, keep_switch=keep_switch))


@app.command()
def demo(
    settings: SettingsFile = None,
    calls: Annotated[int, typer.Option(min=0, help="end after so many calls; 0 plays until Ctrl+C")] = 0,
    rate: Annotated[float, typer.Option(min=0.05, max=5, help="calls a second")] = 0.4,
) -> None:
    """A hotline with citizens, agents, departments and 110 on this machine, to watch and to sit down in."""
    over = live(play(settings_from(settings)[0], calls=calls, rate=rate, say=say))
    say(f"{over} calls were played")


@app.command()
def rehearse(
    settings: SettingsFile = None,
    calls: Annotated[int, typer.Option(min=1, max=9999)] = 100,
    rate: Annotated[float, typer.Option(min=0.1, max=50, help="calls a second")] = 2.0,
    seats: Annotated[int, typer.Option(min=1, max=57)] = 57,
    scenario: Annotated[
        Scenario,
        typer.Option(
            help="full: also hold, consult, transfers, supervision and the rest; "
            "ivr: instead, every way through the IVR once, without --calls and --seats"
        ),
    ] = Scenario.DEFAULT,
    kill: Annotated[
        list[Process] | None, typer.Option(help="kill -9 this process in the middle; may be repeated")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="write the result there")] = None,
) -> None:
    """A full rehearsal: real calls with audio, checked by tone; exit status 0 only if everything was
    right.
    """
    site = settings_from(settings)[0]
    report = live(
        rehearse_on_stage(
            site, calls=calls, rate=rate, seats=seats, say=say, scenario=scenario, kill=tuple(kill or ())
        )
    )
    table = Table("what", "how much", title="rehearsal")
    for row in report.rows():
        table.add_row(*row)
    console.print(table)
    if json is not None:
        try:
            json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
        except OSError as error:
            raise HotlineError(f"cannot write {json}: {error.strerror}") from error
    if not report.is_right:
        say(f"not everything was right; logs and recordings: {leftovers(site)}")
        raise typer.Exit(1)
    say("everything was right")


@app.command()
def status(
    settings: SettingsFile = None,
    json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """What runs and how the floor looks now; exit status 1 when a part is down."""
    found = asyncio.run(status_of.look(settings_from(settings)[0]))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        for line in status_of.lines(found):
            say(line)
    if not found.is_up:
        raise typer.Exit(1)


@app.command()
def doctor(settings: SettingsFile = None) -> None:
    """Check what the hotline needs, and say how to mend what is missing; exit status 1 when something is."""
    findings = asyncio.run(doctor_of.examine(settings_from(settings)[0]))
    table = Table("", "what", "found", "how to mend it")
    for finding in findings:
        table.add_row("ok" if finding.is_well else "!!", finding.what, finding.found, finding.mend)
    console.print(table)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)


@person.command("add")
def person_add(
    number: Annotated[str, typer.Argument(help="four digits (工号)")],
    name: str,
    role: Annotated[Role, typer.Option("--role")],
    settings: SettingsFile = None,
) -> None:
    """Add a person; the password is asked for, or read from standard input when that is no terminal."""
    site = settings_from(settings)[0]
    new = NewPerson(number=number, name=name, role=role)
    asyncio.run(people_of.add(site, new, _password()))
    say(f"{number} may log in as {role.value}")


@person.command("list")
def person_list(settings: SettingsFile = None) -> None:
    """Everybody who was added: number, role, name."""
    for known in asyncio.run(people_of.everybody(settings_from(settings)[0])):
        state = "" if known.enabled else "   (kept out)"
        say(f"{known.number}   {known.role.value:<10}   {known.name}{state}")


@directory.command("load")
def directory_load(
    file: Annotated[Path, typer.Argument(help="CSV in UTF-8; its first line names the columns")],
    settings: SettingsFile = None,
) -> None:
    """Take in departments from a table, replacing those of the same id; pages and calls follow in a while."""
    site = settings_from(settings)[0]
    units = units_of.read_units(file)
    asyncio.run(units_of.take_in(site, units))
    say(f"{len(units)} units were taken into the directory")


@directory.command("list")
def directory_list(settings: SettingsFile = None) -> None:
    """Every unit: id, kind, numbers, office hours, name."""
    for unit in asyncio.run(units_of.everything(settings_from(settings)[0])):
        numbers, hours = " ".join(unit.numbers), unit.office_hours or "hours not known"
        say(f"{unit.id}   {unit.kind.value}   {numbers}   {hours}   {unit.name}")


@audit.command("verify")
def audit_verify(settings: SettingsFile = None) -> None:
    """Walk the audit trail and every case's history; exit status 1 when something was changed."""
    verdict, broken = asyncio.run(audit_of.verify(settings_from(settings)[0]))
    for line in (*audit_of.verdict_lines(verdict), *audit_of.history_lines(broken)):
        say(line)
    if verdict.broken_seq or broken:
        raise typer.Exit(1)


@audit.command("list")
def audit_list(
    settings: SettingsFile = None,
    last: Annotated[int, typer.Option("--last", min=1, max=100_000, help="how many entries")] = 20,
) -> None:
    """The last entries, oldest first."""
    for entry in asyncio.run(audit_of.last(settings_from(settings)[0], last)):
        say(audit_of.entry_line(entry))


@person.command("skills")
def person_skills(
    number: Annotated[str, typer.Argument(help="the agent's number (工号)")],
    queue: Annotated[
        list[str] | None,
        typer.Option(
            "--queue", help="a queue the agent serves, as 12346:0; penalties 0 to 9, lower rings first"
        ),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Say which queues an agent serves from now on, also while signed in; without any, the general one."""
    penalties: dict[str, int] = {}
    for word in queue or ():
        name, _, penalty = word.partition(":")
        if not (penalty or "0").isdecimal():
            raise BadSkill(f"{word!r} is not a queue and a penalty, as 12346:0")
        penalties[name] = int(penalty or "0")
    site = settings_from(settings)[0]
    asyncio.run(people_of.give_skills(site, number, penalties))
    served = penalties or {site.queue.number: 0}
    say(f"{number} serves {', '.join(f'{name} (penalty {penalty})' for name, penalty in served.items())}")


@person.command("posts")
def person_posts(
    number: Annotated[str, typer.Argument(help="the person's number (工号)")],
    post: Annotated[
        list[str] | None,
        typer.Option("--post", help="dispatcher, reviewer, visitor, supervisor, agent, or unit:ID"),
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Say as what somebody works on cases from now on; without any post they see none."""
    wanted = [people_of.read_post(word) for word in post or ()]
    asyncio.run(people_of.give_posts(settings_from(settings)[0], number, wanted))
    say(f"{number} works on cases as {', '.join(post or ()) or 'nothing'}")


@app.command()
def seed(
    settings: SettingsFile = None,
    cases: Annotated[int, typer.Option(min=0, max=5_000_000, help="a year's invented cases")] = 0,
) -> None:
    """A made-up city in an empty database: four tiers of units, matters, people, knowledge, cases."""
    site = settings_from(settings)[0]
    with ProgressBar(console=console) as bar:
        task = bar.add_task("cases", total=cases, visible=cases > 0)
        found = asyncio.run(city_of.seed(site, cases, lambda more: bar.advance(task, more)))
    say(
        f"{found[0]} units, {found[1]} matters and {found[2]} people; {found[3]} knowledge entries were added"
    )
    say(f"the password of all of them is in {site.state / 'demo-password'}")
    if cases:
        say(f"about {cases} cases of the last year were added")


@app.command()
def phone(seat: str, settings: SettingsFile = None) -> None:
    """What to enter into a SIP phone of ours; its password goes to a file that you alone may read."""
    site = settings_from(settings)[0]
    path = people_of.write_account(site, seat)
    say(f"user       {seat}")
    say(f"server     {site.switch.host}, UDP port {site.switch.sip_port}")
    say(f"password   in {path}; delete the file when the phone has it")


@app.command()
def screen(
    settings: SettingsFile = None,
    new: Annotated[bool, typer.Option("--new", help="another word: the old address leads nowhere")] = False,
) -> None:
    """The address of a wall display, which needs no log-in; whoever has its word may look and do nothing."""
    site = settings_from(settings)[0]
    screen_word(site.state, anew=new)
    say(f"address    {site.desk_url}/screen/ and then the word")
    say(f"word       in {site.state / 'screen-word'}")


@hooks.command("list")
def hooks_list(
    settings: SettingsFile = None,
    dead: Annotated[bool, typer.Option("--dead", help="only what was given up")] = False,
    json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """What is still to be delivered, and what was given up."""
    found = asyncio.run(hooks_of.listed(settings_from(settings)[0], only_dead=dead))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
        return
    for one in found:
        say(hooks_of.line(one))
    say(f"{sum(not one.dead_us for one in found)} waiting, {sum(one.dead_us > 0 for one in found)} given up")


@hooks.command("retry")
def hooks_retry(
    id: Annotated[str | None, typer.Argument(help="an event's id, as listed")] = None,
    all_: Annotated[bool, typer.Option("--all", help="everything on the list")] = False,
    settings: SettingsFile = None,
) -> None:
    """Try again at once what was given up or waits for its next try."""
    if (id is None) is not all_:
        raise HotlineError("name one event's id, or say --all")
    count = asyncio.run(hooks_of.retry(settings_from(settings)[0], id))
    say(f"{count} deliveries are tried again by the running CTI server")


@hooks.command("test")
def hooks_test(name: str, settings: SettingsFile = None) -> None:
    """Send a `ping` and say what came back; exit status 1 when it was not taken."""
    trial = asyncio.run(hooks_of.try_out(settings_from(settings)[0], name))
    say(f"{name}: {'taken' if trial.is_well else 'not taken'}, {trial.what}")
    if not trial.is_well:
        raise typer.Exit(1)


@hooks.command("secret")
def hooks_secret(name: str, settings: SettingsFile = None) -> None:
    """Write a webhook's secret, for its receiver, to a file that you alone may read."""
    path = hooks_of.write_secret(settings_from(settings)[0], name)
    say(f"secret in {path}; delete the file when the receiver has it")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def main() -> None:
    """The entry point of `hotline`."""
    quiet_log()
    try:
        app()
    except HotlineError as error:
        console.file.flush()
        sys.stderr.write(f"hotline: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
