// Shows a text that grows inside `host`, which is its own. Called at most once a frame.
export interface TextView {
  append(text: string): void;
  finish(): void;
  replace(text: string): void;
  dispose(): void;
}

export function createTextView(host: HTMLElement, _options: { locale: string }): TextView {
  const node = document.createTextNode('');
  host.replaceChildren(node);
  host.classList.add('plain');
  return {
    append: (text) => node.appendData(text),
    finish: () => {},
    replace: (text) => (node.data = text),
    dispose: () => node.remove(),
  };
}
