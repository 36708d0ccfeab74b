// Files as the technician chooses or drops them, with their folders.

import { maxFiles } from "./transfer";

export interface Picked {
  /** Folders, outermost first, then the file's name. */
  readonly path: readonly string[];
  readonly file: File;
}

/** Those of a file input; one for a folder names the way to each. */
export function ofInput(files: FileList): Picked[] {
  return Array.from(files, (file) => ({
    path: file.webkitRelativePath === "" ? [file.name] : file.webkitRelativePath.split("/"),
    file,
  }));
}

/** Those of a drop, folders opened. Call it in the event: later nothing is left of it. */
export function ofDrop(data: DataTransfer): Promise<Picked[]> {
  const entries = Array.from(data.items, (item) =>
    item.kind === "file" ? item.webkitGetAsEntry() : null,
  ).filter((entry) => entry !== null);
  return (async () => {
    const picked: Picked[] = [];
    for (const entry of entries) await walk(entry, [], picked);
    return picked;
  })();
}

async function walk(entry: FileSystemEntry, folders: string[], picked: Picked[]): Promise<void> {
  if (picked.length > maxFiles) return; // it is refused for their number
  const path = [...folders, entry.name];
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    picked.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A browser gives a folder's entries in parts, the last of which is empty.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return;
    for (const each of part) await walk(each, path, picked);
  }
}
