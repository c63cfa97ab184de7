/** Files and folders that were dropped onto the page. */
export interface DroppedFile {
  /** With the folders that were dropped, with slashes. */
  readonly name: string;
  readonly file: File;
}

/** All files of a drop, those in folders too. The entries must be asked for at once: later the drop is forgotten. */
export async function droppedFiles(transfer: DataTransfer): Promise<DroppedFile[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const files: DroppedFile[] = [];
  for (const entry of entries) await collect(entry, entry.name, files);
  return files;
}

async function collect(entry: FileSystemEntry, name: string, files: DroppedFile[]): Promise<void> {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    files.push({ name, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A folder comes in parts, the last of which is empty.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const inner of part) await collect(inner, `${name}/${inner.name}`, files);
  }
}
