import { inBoxes } from './boxes';
import { buildInline, type Inline } from './build';
import { parseInline, type References } from './markdown';
import type { TextNode } from './nodes';

// What runs of text become. Above this size one is shown as it is: such a line is no prose.
const LONGEST_PROSE = 100_000;

export function inlineOnce(references: References = {}): Inline {
  return (source) => {
    if (source.length > LONGEST_PROSE) return inBoxes([source]);
    return buildInline(parseInline(source, references));
  };
}

// Remembers from one parse to the next, so that of a long list only the last item costs something.
// The same source gives the same nodes, and who compares them need not look into them.
export class InlineMemo {
  private last = new Map<string, TextNode[]>();
  private labels = '';

  // For one parse; what it does not ask for is forgotten by the next.
  with(references: References): Inline {
    const labels = JSON.stringify(references);
    if (labels !== this.labels) this.last.clear();
    this.labels = labels;
    const before = this.last;
    const now = new Map<string, TextNode[]>();
    this.last = now;
    const once = inlineOnce(references);
    return (source) => {
      const nodes = now.get(source) ?? before.get(source) ?? once(source);
      now.set(source, nodes);
      return nodes;
    };
  }
}
