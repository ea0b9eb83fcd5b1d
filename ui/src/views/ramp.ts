// Colours for numbers: from dark to light without a step back, so that it also reads in grey and to who
// sees few colours. The stops are those of viridis.
const STOPS = ['440154', '482878', '3e4989', '31688e', '26828e', '1f9e89', '35b779', '6ece58', 'b5de2b', 'fde725'].map(
  (hex): [number, number, number] => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) as [number, number, number],
);

export type Colour = [number, number, number];

// `share` from 0 to 1.
export function colourOf(share: number): Colour {
  const place = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * (STOPS.length - 1);
  const at = Math.min(STOPS.length - 2, Math.floor(place));
  const low = STOPS[at]!;
  const high = STOPS[at + 1]!;
  return low.map((value, channel) => Math.round(value + (high[channel]! - value) * (place - at))) as Colour;
}

export function cssColour([red, green, blue]: Colour): string {
  return `rgb(${red} ${green} ${blue})`;
}

// Relative luminance, as contrast is computed from.
export function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Colour;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

// Black or white, whichever is read on `colour`.
export function inkOn(colour: Colour): string {
  return luminance(colour) > 0.18 ? '#000000' : '#ffffff';
}
