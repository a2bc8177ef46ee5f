// Owns microphone and headset of the phone in the page: which are used, how loud one speaks, what is heard.

const KEPT = "sound-devices";
const RANGE_DB = 60;

export interface Chosen {
  readonly microphone: string;
  readonly speaker: string;
}

export class Devices {
  // What the microphone gives; null while there is none.
  stream: MediaStream | null = null;
  onMicrophone: (track: MediaStreamTrack) => void = () => undefined;
  chosen: Chosen = { microphone: "", speaker: "", ...(JSON.parse(localStorage.getItem(KEPT) ?? "{}") as Partial<Chosen>) };
  private readonly audio = new Audio();
  private readonly context = new AudioContext();
  private analyser: AnalyserNode | null = null;
  // Held, or the browser takes it for garbage and the level stands still.
  private source: MediaStreamAudioSourceNode | null = null;
  private samples = new Float32Array(0);

  constructor() {
    this.audio.autoplay = true;
    // A browser lets a page make sound after somebody has touched it.
    for (const touch of ["keydown", "pointerdown"]) window.addEventListener(touch, () => void this.context.resume());
  }

  // Whether there is a microphone that we may use. The one chosen last is preferred, another is taken when it is gone.
  async open(): Promise<boolean> {
    const wanted = this.chosen.microphone;
    for (const audio of wanted ? [{ deviceId: { exact: wanted } }, true] : [true]) {
      try {
        this.use(await navigator.mediaDevices.getUserMedia({ audio }));
        return true;
      } catch (error) {
        console.info("no microphone", (error as Error).name);
      }
    }
    return false;
  }

  // Those that can be chosen; their names are known once a microphone may be used.
  async list(kind: "audioinput" | "audiooutput"): Promise<readonly MediaDeviceInfo[]> {
    return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === kind);
  }

  async choose(chosen: Partial<Chosen>): Promise<void> {
    this.chosen = { ...this.chosen, ...chosen };
    localStorage.setItem(KEPT, JSON.stringify(this.chosen));
    if (chosen.microphone !== undefined) await this.open();
    if (chosen.speaker !== undefined && "setSinkId" in this.audio) await this.audio.setSinkId(chosen.speaker);
  }

  play(stream: MediaStream | null): void {
    this.audio.srcObject = stream;
  }

  // How loud it is at the microphone now, as ears judge: 0 is silence, 1 as loud as it goes.
  level(): number {
    if (this.analyser === null || this.source === null) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    const peak = this.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    return Math.min(1, Math.max(0, 1 + (20 * Math.log10(peak)) / RANGE_DB));
  }

  private use(stream: MediaStream): void {
    const old = this.stream;
    this.stream = stream;
    const [track] = stream.getAudioTracks();
    if (old !== null && track !== undefined) this.onMicrophone(track);
    for (const gone of old?.getTracks() ?? []) gone.stop();
    this.analyser = this.context.createAnalyser();
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
  }
}
