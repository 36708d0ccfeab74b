// Where received files go, piece by piece: by the File System Access API to where
// the technician says, else through the browser's own private storage to a link.

import { safeName, twin } from "./names";

/** One file that is being written. */
export interface Drain {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** It is whole; a URL if the browser has yet to save it. */
  close(): Promise<string | null>;
  abort(): Promise<void>;
}

export interface Shelf {
  open(path: readonly string[]): Promise<Drain>;
}

interface Pickers {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
  showDirectoryPicker?: (options: { mode: "readwrite"; id: string }) => Promise<FileSystemDirectoryHandle>;
}

/**
 * Asks the technician where to save; call it in a click. null: they would not say.
 * @param paths of all files
 */
export async function askShelf(paths: readonly (readonly string[])[]): Promise<Shelf | null> {
  const pickers = globalThis as Pickers;
  const single = paths.length === 1 && paths[0]?.length === 1 ? paths[0][0] : undefined;
  try {
    if (single !== undefined && pickers.showSaveFilePicker) {
      const handle = await pickers.showSaveFilePicker({ suggestedName: safeName(single) });
      return { open: () => drain(handle) };
    }
    if (single === undefined && pickers.showDirectoryPicker) {
      const folder = await pickers.showDirectoryPicker({ mode: "readwrite", id: "mainforte" });
      return new FolderShelf(folder);
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    // A page in a frame, or a policy, has no picker that works.
  }
  return new PrivateShelf();
}

class FolderShelf implements Shelf {
  #root: FileSystemDirectoryHandle;
  #made = new Map<string, FileSystemDirectoryHandle>();

  constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  async open(path: readonly string[]): Promise<Drain> {
    let folder = this.#root;
    for (let depth = 1; depth < path.length; depth++) {
      const key = JSON.stringify(path.slice(0, depth));
      const made = this.#made.get(key);
      if (made) {
        folder = made;
        continue;
      }
      const name = await free(folder, safeName(path[depth - 1] ?? ""));
      folder = await folder.getDirectoryHandle(name, { create: true });
      this.#made.set(key, folder);
    }
    const name = await free(folder, safeName(path.at(-1) ?? ""));
    return drain(await folder.getFileHandle(name, { create: true }));
  }
}

/** A name that nothing in the folder has: nothing is overwritten. */
async function free(folder: FileSystemDirectoryHandle, name: string): Promise<string> {
  for (let n = 1; ; n++) {
    const candidate = twin(name, n);
    try {
      await folder.getFileHandle(candidate);
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotFoundError") return candidate;
      // TypeMismatchError: a folder has it.
    }
  }
}

async function drain(handle: FileSystemFileHandle, linked = false): Promise<Drain> {
  const writable = await handle.createWritable();
  return {
    write: (bytes) => writable.write(bytes),
    close: async () => {
      await writable.close();
      return linked ? URL.createObjectURL(await handle.getFile()) : null;
    },
    abort: () => writable.abort(),
  };
}

const prefix = "mainforte-";
/** How long a file in private storage may wait to be saved, ms. */
const keptFor = 24 * 3600 * 1000;

/** Files in the browser's private storage, which no program but the browser sees. */
class PrivateShelf implements Shelf {
  #folder: Promise<FileSystemDirectoryHandle> | undefined;
  #count = 0;

  async open(): Promise<Drain> {
    this.#folder ??= privateFolder();
    const folder = await this.#folder;
    return drain(await folder.getFileHandle(`${++this.#count}`, { create: true }), true);
  }
}

async function privateFolder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  // The DOM's types list no iterators of a folder yet.
  const names = (root as unknown as { keys(): AsyncIterable<string> }).keys();
  for await (const name of names) {
    // A tab that was closed cannot remove what it left.
    const at = name.startsWith(prefix) ? Number(name.slice(prefix.length).split("-")[0]) : NaN;
    if (Date.now() - at > keptFor) await root.removeEntry(name, { recursive: true }).catch(() => undefined);
  }
  return root.getDirectoryHandle(`${prefix}${Date.now()}-${crypto.randomUUID()}`, { create: true });
}
