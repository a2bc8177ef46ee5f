// Owns the sound of the phone that rings in the page: two tones, a second long, every four, as a desk phone's.

const TONES_HZ = [440, 480];
const RING_S = 1;
const EVERY_MS = 4000;
const VOLUME = 0.08;

export class Ringer {
  private timer = 0;

  ring(isRinging: boolean): void {
    clearInterval(this.timer);
    if (!isRinging) return;
    sound();
    this.timer = window.setInterval(sound, EVERY_MS);
  }
}

function sound(): void {
  const context = new AudioContext();
  const volume = context.createGain();
  volume.gain.value = VOLUME;
  volume.connect(context.destination);
  for (const hz of TONES_HZ) {
    const tone = context.createOscillator();
    tone.frequency.value = hz;
    tone.connect(volume);
    tone.start();
    tone.stop(context.currentTime + RING_S);
  }
  setTimeout(() => void context.close(), 1000 * RING_S + 100);
}
