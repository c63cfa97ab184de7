import { Writable } from "node:stream";

/** A stream that keeps what is written to it, and may pass for a terminal. */
export class RecordingStream extends Writable {
  text = "";
  isTTY: boolean;
  columns = 80;

  constructor(terminal = false) {
    super({ decodeStrings: false });
    this.isTTY = terminal;
  }

  override _write(chunk: string | Uint8Array, _encoding: string, done: () => void): void {
    this.text += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
    done();
  }

  get lines(): string[] {
    return this.text.replace(/\n$/, "").split("\n");
  }
}
