"""Owns the commands `hotline ivr …`: what callers hear, tried out and checked at a terminal."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from asterisk_conf.paths import NodePaths
from cli.run import home_of_switch
from cli.terminal import SettingsFile, say, settings_from
from hotline.errors import HotlineError
from hotline.settings import Settings
from ivr import lint as lint_of
from ivr import prompts
from ivr.catalogue import CALLBACK_KEY, MANDARIN, load_catalogue

ivr = typer.Typer(help="What callers hear before the queue.", no_args_is_help=True)
PLAY_S = 300


class NoSuchPrompt(HotlineError):
    """A name that is no prompt's."""


def sounds_of(site: Settings) -> Path:
    """The directory of the Mandarin prompts; other languages lie beside it."""
    return NodePaths(home_of_switch(site)).sounds


def text_of(site: Settings, name: str, language: str) -> str:
    """What the prompt of that name says; NoSuchPrompt when there is none."""
    catalogue = load_catalogue()
    if language not in site.ivr.languages or name not in catalogue.names(language):
        raise NoSuchPrompt(f"there is no prompt {name!r} in {language!r}; `hotline ivr list` shows them all")
    return catalogue.text(name, site.city, site.callback_key or CALLBACK_KEY, language)


@ivr.command("list")
def list_prompts(
    language: Annotated[str, typer.Option("--language")] = MANDARIN, settings: SettingsFile = None
) -> None:
    """Every prompt: its name and what it says."""
    site = settings_from(settings)[0]
    for name in load_catalogue().names(language):
        say(f"{name}   {text_of(site, name, language)}")


@ivr.command("say")
def say_prompt(
    name: Annotated[str, typer.Argument(help="a prompt, as hotline/greeting")],
    language: Annotated[str, typer.Option("--language")] = MANDARIN,
    settings: SettingsFile = None,
) -> None:
    """Render a prompt as callers hear it, and play it where sox finds a loudspeaker."""
    site = settings_from(settings)[0]
    text = text_of(site, name, language)
    prompts.render_hotline(sounds_of(site), site)
    path = prompts.file_of(sounds_of(site).with_name(language), name)
    say(f"{text}\n{path}")
    if not played(path):
        say("no loudspeaker was found; play the file above elsewhere")


@ivr.command("lint")
def lint(settings: SettingsFile = None) -> None:
    """Find prompts that are missing, never played, clipped or silent; exit status 1 when there are any."""
    site = settings_from(settings)[0]
    sounds = sounds_of(site)
    prompts.render_hotline(sounds, site, say=say)
    faults = lint_of.all_of(load_catalogue(), sounds, {language: () for language in site.ivr.languages})
    for fault in faults:
        say(fault)
    if faults:
        raise typer.Exit(1)
    say("every prompt is there, is played and can be heard")


def played(path: Path) -> bool:
    """Whether the sound could be played on this machine."""
    program = shutil.which("play")
    if program is None:
        return False
    try:
        done = subprocess.run([program, "-q", str(path)], capture_output=True, check=False, timeout=PLAY_S)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
