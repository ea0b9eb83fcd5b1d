// Files in and out of the page, without a request.
export function download(name: string, text: string, type = 'application/json'): void {
  const link = document.createElement('a');
  const address = URL.createObjectURL(new Blob([text], { type }));
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// A name that every file system takes, from a title that may be anything.
export function fileName(title: string, ending: string): string {
  const safe = title.replace(/[\p{C}/\\:*?"<>|]+/gu, ' ').replace(/\s+/g, ' ').trim().slice(0, 60);
  return `${safe || 'chat'}.${ending}`;
}

// The text of a file, or null where its bytes are none: what it is called says nothing about that.
export async function readText(file: File): Promise<string | null> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes.subarray(0, 8192).includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

export function chooseFiles(accept: string, multiple: boolean): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.accept = accept;
    input.multiple = multiple;
    input.addEventListener('change', () => resolve([...(input.files ?? [])]));
    input.addEventListener('cancel', () => resolve([]));
    input.click();
  });
}
