// Owns the players on the page of recordings: speed, one call at a time, both directions together.

import { all, buttons, selectById } from "./dom.js";

const FURTHEST_APART_S = 0.1;
const players = all<HTMLAudioElement>(document, "audio");
const speed = selectById("speed");

const rowOf = (player: Element) => player.closest("tr");
const partnerOf = (player: HTMLAudioElement) => players.find((other) => other !== player && rowOf(other) === rowOf(player));

function setSpeed(): void {
  for (const player of players) player.playbackRate = Number(speed.value);
}

// Two files that were recorded in step are kept in step: the second follows the first.
function follow(leader: HTMLAudioElement, follower: HTMLAudioElement): void {
  if (Math.abs(follower.currentTime - leader.currentTime) > FURTHEST_APART_S) follower.currentTime = leader.currentTime;
}

async function playBoth(first: HTMLAudioElement, second: HTMLAudioElement): Promise<void> {
  second.dataset.follows = "yes";
  second.currentTime = first.currentTime;
  await Promise.all([first.play(), second.play()]);
}

for (const player of players) {
  player.addEventListener("play", () => {
    setSpeed();
    for (const other of players) if (rowOf(other) !== rowOf(player)) other.pause();
  });
  player.addEventListener("timeupdate", () => {
    const partner = partnerOf(player);
    if (partner?.dataset.follows && !partner.paused && !player.paused) follow(player, partner);
  });
  player.addEventListener("pause", () => {
    const partner = partnerOf(player);
    if (!partner?.dataset.follows) return;
    delete partner.dataset.follows;
    partner.pause();
  });
}

for (const button of buttons(document, "[data-both]")) {
  const [first, second] = players.filter((player) => rowOf(player) === button.closest("tr"));
  if (!first || !second) continue;
  button.hidden = false;
  button.addEventListener("click", () => playBoth(first, second));
}

speed.addEventListener("change", setSpeed);
