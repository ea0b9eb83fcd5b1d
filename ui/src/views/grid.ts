// Numbers by layer and head, as the server sends them: 16-bit floats, the least byte first.
export interface Grid {
  layers: number;
  heads: number;
  values: Float32Array; // [layers, heads]
}

export function halfFloats(bytes: ArrayBuffer): Float32Array {
  const view = new DataView(bytes);
  const out = new Float32Array(Math.floor(bytes.byteLength / 2));
  for (let at = 0; at < out.length; ++at) {
    const bits = view.getUint16(at * 2, true);
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) out[at] = sign * fraction * 2 ** -24;
    else if (exponent === 31) out[at] = fraction ? NaN : sign * Infinity;
    else out[at] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return out;
}

// [fields, layers, heads] into one grid for each field, or null where the sizes do not fit the bytes.
export function gridsOf(bytes: ArrayBuffer, shape: string | null, fields: number): Grid[] | null {
  const [count = 0, layers = 0, heads = 0, ...more] = (shape ?? '').split(',').map(Number);
  if (more.length > 0 || count !== fields || !(layers > 0) || !(heads > 0)) return null;
  if (bytes.byteLength !== count * layers * heads * 2) return null;
  const all = halfFloats(bytes);
  return Array.from({ length: count }, (_, at) => ({
    layers,
    heads,
    values: all.subarray(at * layers * heads, (at + 1) * layers * heads),
  }));
}

export interface Facts {
  least: number;
  most: number;
  mean: number;
  leastAt: number;
  mostAt: number;
  largest: number[]; // places of the ten largest, the largest first
}

export function factsOf({ values }: Grid): Facts {
  const order = Array.from(values.keys())
    .filter((at) => Number.isFinite(values[at]!))
    .sort((a, b) => values[b]! - values[a]! || a - b);
  const sum = order.reduce((total, at) => total + values[at]!, 0);
  const mostAt = order[0] ?? 0;
  const leastAt = order[order.length - 1] ?? 0;
  return {
    least: values[leastAt] ?? 0,
    most: values[mostAt] ?? 0,
    mean: order.length > 0 ? sum / order.length : 0,
    leastAt,
    mostAt,
    largest: order.slice(0, 10),
  };
}

export function csvOf({ layers, heads, values }: Grid): string {
  const lines = [['layer', ...Array.from({ length: heads }, (_, head) => `head ${head}`)].join(',')];
  for (let layer = 0; layer < layers; ++layer)
    lines.push([layer, ...Array.from(values.subarray(layer * heads, (layer + 1) * heads))].join(','));
  return lines.join('\n') + '\n';
}
