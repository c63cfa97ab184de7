/** Builds tar archives for tests. */

export interface TarEntry {
  readonly name: string;
  readonly content?: Uint8Array | string;
  /** POSIX's type flag; "0" is a plain file, "2" a symbolic link. */
  readonly type?: string;
}

/** A ustar archive; names of more than 100 bytes get a pax header. */
export function tarFile(entries: readonly TarEntry[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  const add = (name: string, type: string, content: Uint8Array) => {
    const head = Buffer.alloc(512);
    head.write(name.slice(0, 100), 0);
    head.write("0000644\0", 100);
    head.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    head.write(type, 156);
    head.write("ustar\x0000", 257);
    head.fill(" ", 148, 156);
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    blocks.push(head, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  };
  for (const { name, content = "", type = "0" } of entries) {
    if (name.length > 100) {
      let length = name.length + 8;
      while (`${length} path=${name}\n`.length !== length) length = `${length} path=${name}\n`.length;
      add("pax", "x", Buffer.from(`${length} path=${name}\n`));
    }
    add(name, type, typeof content === "string" ? Buffer.from(content) : content);
  }
  return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
