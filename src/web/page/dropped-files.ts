/** Files and folders that were dropped onto the page. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface DroppedFile {
  /** With the folders that were dropped, with slashes. */
  readonly name: string;
  readonly file: File;
}

/**
 * What was dropped onto the page last, anywhere.
 *
 * @param onDrop called whenever files have been dropped
 */
export function useDroppedFiles(onDrop: () => void): Promise<readonly DroppedFile[]> | undefined {
  const [dropped, setDropped] = useState<Promise<readonly DroppedFile[]>>();
  const tell = useRef(onDrop);
  tell.current = onDrop;
  useEffect(() => {
    const over = (event: DragEvent): void => {
      if (hasFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent): void => {
      if (!event.dataTransfer || !hasFiles(event)) return;
      event.preventDefault();
      setDropped(droppedFiles(event.dataTransfer));
      tell.current();
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
    };
  }, []);
  return dropped;
}

/** A link or a text that is dragged is the browser's matter. */
function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes("Files") ?? false;
}

/** All files of a drop, those in folders too. To be called while the drop's event is handled: later it is forgotten. */
async function droppedFiles(transfer: DataTransfer): Promise<DroppedFile[]> {
  const items = [...transfer.items]
    .filter(({ kind }) => kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const files: DroppedFile[] = [];
  for (const { entry, file } of items) {
    if (entry) await collect(entry, entry.name, files);
    else if (file) files.push({ name: file.name, file });
  }
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
