import { userError } from "../errors.js";
import type { OpenFile } from "./file-samples.js";
import { checkInterrupted } from "./read-bytes.js";

/** A plain file inside a tar archive. */
export interface TarMember {
  readonly name: string;
  readonly start: number;
  readonly length: number;
}

/** What a tar archive holds, in its order. */
export interface TarListing {
  readonly members: readonly TarMember[];
  /** Links and devices, which are never followed or made. */
  readonly passedOver: number;
  /** Whether the mark stands at its end without which it may have been cut off between two members. */
  readonly ended: boolean;
}

const block = 512;

/**
 * Lists a tar archive without unpacking it: ustar, with GNU's and pax's long names and sizes. Source: POSIX.1-2017,
 * pax, "ustar Interchange Format".
 *
 * @throws UserError if it is damaged or cut off, or if a name leads out of the archive
 */
export async function listTar(file: OpenFile, signal?: AbortSignal): Promise<TarListing> {
  const members: TarMember[] = [];
  let passedOver = 0;
  let longName: string | undefined;
  let longSize: number | undefined;
  const window = new Window(file);
  let ended = false;
  let at = 0;
  while (at + block <= file.length) {
    if (members.length % 1000 === 0) checkInterrupted(signal);
    const head = await window.bytes(at, block);
    if (head.every((byte) => byte === 0)) {
      ended = true;
      break;
    }
    checkSum(head, file.path, at);
    const type = String.fromCharCode(head[156]);
    const length = longSize ?? sizeIn(head);
    const start = at + block;
    if (!(length >= 0) || start + length > file.length) {
      throw damaged(file.path, `a member at byte ${at} that goes on after the end`);
    }
    if (type === "L" || type === "x" || type === "g" || type === "K") {
      if (length > 2 ** 20) throw damaged(file.path, `a name of ${length} bytes`);
      const content = await window.bytes(start, length);
      if (type === "L") longName = textIn(content);
      if (type === "x") {
        const records = paxRecords(content);
        longName = records.get("path") ?? longName;
        const size = records.get("size");
        if (size !== undefined) longSize = Number(size);
      }
    } else {
      if (type === "0" || type === "\0" || type === "7") {
        const prefix = textIn(head.subarray(345, 500));
        const ustar = textIn(head.subarray(257, 262)) === "ustar";
        const short = textIn(head.subarray(0, 100));
        const name = longName ?? (ustar && prefix !== "" ? `${prefix}/${short}` : short);
        checkName(name, file.path);
        if (!name.endsWith("/")) members.push({ name: name.replace(/^(\.\/)+/, ""), start, length });
      } else if (type !== "5") passedOver++;
      longName = undefined;
      longSize = undefined;
    }
    at = start + Math.ceil(length / block) * block;
  }
  if (!ended && at < file.length) throw damaged(file.path, `one that ends within a header, at byte ${file.length}`);
  return { members, passedOver, ended };
}

/** Reads ahead, because headers of small members lie close together. */
class Window {
  readonly #file: OpenFile;
  #start = 0;
  #bytes = new Uint8Array(0);

  constructor(file: OpenFile) {
    this.#file = file;
  }

  async bytes(start: number, length: number): Promise<Uint8Array> {
    if (start < this.#start || start + length > this.#start + this.#bytes.length) {
      const ahead = Math.min(Math.max(length, 1 << 16), this.#file.length - start);
      this.#bytes = (await this.#file.bytes(start, ahead)) as Uint8Array<ArrayBuffer>;
      this.#start = start;
    }
    return this.#bytes.subarray(start - this.#start, start - this.#start + length);
  }
}

function checkName(name: string, where: string): void {
  const parts = name.split(/[/\\]/);
  if (!/^([/\\]|[a-z]:)/i.test(name) && !parts.includes("..")) return;
  throw userError({
    where,
    required: "an archive whose names stay inside it",
    got: JSON.stringify(name),
    advice: "Do not use this archive: it may be meant to harm",
  });
}

/** The header's sum, with its own field taken for spaces. */
function checkSum(head: Uint8Array, where: string, at: number): void {
  let sum = 0;
  for (let place = 0; place < block; place++) sum += place >= 148 && place < 156 ? 32 : head[place];
  if (sum !== Number.parseInt(textIn(head.subarray(148, 156)).trim(), 8)) {
    throw damaged(where, at === 0 ? "a file of another kind" : `a header at byte ${at} that is none`);
  }
}

/** Octal digits, or with the first bit set a binary number, for sizes from 8 GiB. */
function sizeIn(head: Uint8Array): number {
  if ((head[124] & 0x80) === 0) return Number.parseInt(textIn(head.subarray(124, 136)).trim() || "0", 8);
  let size = head[124] & 0x7f;
  for (let place = 125; place < 136; place++) size = size * 256 + head[place];
  return size;
}

/** Records of the form "length key=value\n". */
function paxRecords(content: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at);
    const length = Number(textIn(content.subarray(at, space)));
    if (!(space > at && length > 0)) break;
    const record = new TextDecoder().decode(content.subarray(space + 1, at + length - 1));
    const equals = record.indexOf("=");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function damaged(where: string, got: string): Error {
  return userError({ where, required: "a whole tar archive", got, advice: "The file is damaged: fetch it again" });
}
