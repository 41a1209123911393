// Builds the pages into dist/, where the gateway looks for them: hashed assets, each also compressed.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Where each page is served, seen from the gateway's root; its links to assets climb up from there. */
const PAGES: Record<string, string> = { 'graphiql.html': '', 'reference.html': '../' };
const COMPRESSED = /\.(js|css|svg|ttf)$/;
/** Of brotli: 11 takes ten times as long and saves a tenth. */
const QUALITY = 9;

function compressed(): Plugin {
  return {
    name: 'compressed',
    async writeBundle({ dir }) {
      const assets = join(dir!, 'assets');
      const names = (await readdir(assets)).filter((name) => COMPRESSED.test(name));
      await Promise.all(names.map((name) => compress(join(assets, name))));
    },
  };
}

async function compress(path: string): Promise<void> {
  const content = await readFile(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: QUALITY };
  await Promise.all([
    promisify(brotliCompress)(content, { params }).then((bytes) => writeFile(`${path}.br`, bytes)),
    promisify(gzip)(content, { level: 9 }).then((bytes) => writeFile(`${path}.gz`, bytes)),
  ]);
}

export default defineConfig({
  base: './',
  // The gateway puts a fresh nonce in the place of this word into every page it sends.
  html: { cspNonce: 'CSP-NONCE' },
  plugins: [compressed()],
  worker: { format: 'es' },
  experimental: {
    renderBuiltUrl(filename, { hostId, hostType }) {
      return hostType === 'html' ? `${PAGES[hostId]}explorer/${filename}` : { relative: true };
    },
  },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
    reportCompressedSize: false,
    license: { fileName: 'licenses.md' },
    rolldownOptions: { input: Object.keys(PAGES) },
  },
});
