// Reads server-sent events out of pieces of a stream, cut anywhere. A comment is no event.
export interface ServerEvent {
  event: string; // 'message' where none is named
  data: string;
}

// More than any event of the server; what grows beyond is not its stream.
const kLongest = 64 * 1024 * 1024;

export function sseReader(onEvent: (event: ServerEvent) => void): { push(text: string): void } {
  let rest = '';
  let scanned = 0; // of `rest`, where no line end was found
  let event = '';
  let data: string[] = [];

  const line = (text: string): void => {
    if (text === '') {
      if (data.length > 0) onEvent({ event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
  };

  return {
    push(text) {
      rest += text;
      if (rest.length > kLongest) throw new Error('an event without an end');
      let from = 0;
      let at = scanned;
      for (; at < rest.length; at += 1) {
        const code = rest.charCodeAt(at);
        if (code !== 10 && code !== 13) continue;
        // A carriage return at the very end may be half of a line end.
        if (code === 13 && at + 1 === rest.length) break;
        const end = at;
        if (code === 13 && rest.charCodeAt(at + 1) === 10) at += 1;
        line(rest.slice(from, end));
        from = at + 1;
      }
      rest = rest.slice(from);
      scanned = Math.max(0, at - from);
    },
  };
}
