// Small choices of this browser. Storage may be forbidden or full: then they last as long as the page.
export function remembered<T extends string>(name: string, allowed: readonly T[]): T | null {
  try {
    const value = localStorage.getItem(`skein.${name}`);
    return allowed.find((one) => one === value) ?? null;
  } catch {
    return null;
  }
}

export function rememberedText(name: string): string | null {
  try {
    return localStorage.getItem(`skein.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`skein.${name}`);
    else localStorage.setItem(`skein.${name}`, value);
  } catch {
    // As above.
  }
}
