// Serves the page as it is being written, in front of a running server:
//   node dev.mjs [--port 8090] [--server http://127.0.0.1:8080]
// Each change of a source builds it anew; reload to see it.
import { watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { onward, serve } from './serve.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const asked = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
};
const folder = join(tmpdir(), `skein-ui-${process.pid}`);

await build(folder);
let waiting = null;
watch(join(here, 'src'), { recursive: true }, () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => build(folder).then(() => console.log('built'), () => {}), 100);
});
const server = await serve(folder, onward(asked('server', 'http://127.0.0.1:8080')), Number(asked('port', '8090')));
console.log(`http://127.0.0.1:${server.address().port}`);
