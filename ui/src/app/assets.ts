// What is loaded later has a hash in its name, which index.html tells in <meta name="skein:NAME">.
export function assetAddress(name: string): string | null {
  const meta = document.querySelector<HTMLMetaElement>(`meta[name="skein:${name}"]`);
  return meta ? new URL(meta.content, document.baseURI).href : null;
}

// Adds a stylesheet once; resolves when it is in force, and also when it cannot be had.
export function loadStyle(name: string): Promise<void> {
  const address = assetAddress(name);
  if (!address || document.querySelector(`link[href="${address}"]`)) return Promise.resolve();
  return new Promise((resolve) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = address;
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
}
